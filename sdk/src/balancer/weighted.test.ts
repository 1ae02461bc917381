import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWeighted, peekWeighted, putBack, type Weighted } from './weighted.ts';

const take = (schedule: Weighted, weights: readonly number[]): number => {
  const entry = peekWeighted(schedule);
  putBack(schedule, weights[entry] ?? 1);
  return entry;
};
const takeMany = (schedule: Weighted, weights: readonly number[], count: number): number[] =>
  Array.from({ length: count }, () => take(schedule, weights));

const someWeights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });

describe('the weighted schedule (Envoy EdfScheduler)', () => {
  it('spreads the turns of the heavy entry', () => {
    expect(takeMany(createWeighted([1, 1, 4], 0), [1, 1, 4], 6).join('')).toBe('222012');
  });

  it('gives each entry its weight in every full round, from any seed', () => {
    fc.assert(
      fc.property(someWeights, fc.integer({ min: 0, max: 0xffff_ffff }), (weights, seed) => {
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        const schedule = createWeighted(weights, seed);
        takeMany(schedule, weights, round);
        const taken = takeMany(schedule, weights, round);
        for (const [entry, weight] of weights.entries()) {
          // Deadlines are fractions: a tie that rounding breaks may move a turn over the edge of a round.
          expect(Math.abs(taken.filter((other) => other === entry).length - weight)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('a seed stands for that many picks', () => {
    fc.assert(
      fc.property(someWeights, fc.nat(200), (weights, seed) => {
        const count = (entries: readonly number[]) =>
          weights.map((_, entry) => entries.filter((other) => other === entry).length);
        const walked = takeMany(createWeighted(weights, 0), weights, seed + 50);
        const skipped = takeMany(createWeighted(weights, seed), weights, 50);
        const expected = count(walked.slice(seed));
        for (const [entry, turns] of count(skipped).entries()) {
          // A tie at either end may be broken the other way.
          expect(Math.abs(turns - (expected[entry] ?? 0))).toBeLessThanOrEqual(2);
        }
      }),
    );
  });

  it('is empty over nobody', () => {
    expect(peekWeighted(createWeighted([], 7))).toBe(-1);
  });
});
