import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithinBinomial, seededRandom } from '../../../test/harness/seeded-random.ts';
import { createPickFirst, pickFirst } from './pick-first.ts';

const hostsOf = (count: number, kept = -1, weight = (_: number) => 1) =>
  Array.from({ length: count }, (_, index) => ({ weight: weight(index), isKept: index === kept }));

const tries = (hosts: readonly { readonly weight: number; readonly isKept: boolean }[], shuffles = false, seed = 0) => {
  const state = createPickFirst(hosts, shuffles, seed);
  return hosts.map((_, attempt) => pickFirst(state, hosts, attempt));
};

describe('pick-first', () => {
  it('has nobody of nobody', () => {
    expect(pickFirst(createPickFirst([], true, 7), [], 0)).toBe(-1);
  });

  it('takes the first of the list, and the next one for each that could not be connected to', () => {
    expect(tries(hostsOf(4))).toEqual([0, 1, 2, 3]);
    expect(pickFirst(createPickFirst(hostsOf(2), false, 0), hostsOf(2), 2)).toBe(0);
  });

  it('takes the one that is kept to before all others, wherever it stands', () => {
    expect(tries(hostsOf(4, 2))).toEqual([2, 0, 1, 3]);
  });

  it('notices when another one is kept to, or none', () => {
    const state = createPickFirst(hostsOf(3), false, 0);
    expect([1, 2, -1, 0].map((kept) => pickFirst(state, hostsOf(3, kept), 0))).toEqual([1, 2, 0, 0]);
  });

  it('comes to every host once, shuffled or not, whoever is kept to', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.nat(60),
        fc.boolean(),
        fc.nat(),
        (count, kept, shuffles, seed) => {
          const found = tries(hostsOf(count, kept), shuffles, seed);
          expect([...found].sort((one, other) => one - other)).toEqual([...hostsOf(count).keys()]);
          if (kept < count) expect(found[0]).toBe(kept);
        },
      ),
    );
  });

  it('shuffles by weight: who comes first is drawn as often as it weighs (gRFC A113)', () => {
    const random = seededRandom(11);
    const hosts = hostsOf(3, -1, (index) => index + 1);
    const firsts = [0, 0, 0];
    for (let draw = 0; draw < 6_000; draw++) {
      const first = tries(hosts, true, random())[0] ?? -1;
      firsts[first] = (firsts[first] ?? 0) + 1;
    }
    for (const [index, count] of firsts.entries()) expect(isWithinBinomial(count, 6_000, (index + 1) / 6)).toBe(true);
  });

  it('the same seed shuffles alike', () => {
    expect(tries(hostsOf(20), true, 5)).toEqual(tries(hostsOf(20), true, 5));
    expect(tries(hostsOf(20), true, 5)).not.toEqual(tries(hostsOf(20), true, 6));
  });
});
