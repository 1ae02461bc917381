import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStride, takerOf } from './stride.ts';

/** How often each of them is taken in the next picks. */
function taken(weights: readonly number[], picks: number, from = 0): number[] {
  const stride = createStride(weights);
  const counts = weights.map(() => 0);
  if (stride === undefined) return counts;
  for (let turn = from, done = 0; done < picks; done++) {
    turn = takerOf(stride, turn);
    const index = turn % weights.length;
    counts[index] = (counts[index] ?? 0) + 1;
    turn = (turn + 1) >>> 0;
  }
  return counts;
}

describe('a static stride', () => {
  it.each([[[]], [[0, 0]], [[3, 0, 0]], [[2, 2, 2]], [[5, 0, 5]]])(
    'is none for %j: round robin does as well',
    (weights) => {
      expect(createStride(weights)).toBeUndefined();
    },
  );

  it('takes each as often as its weight says', () => {
    expect(taken([1, 2, 3], 6_000).map((count) => Math.round(count / 1_000))).toEqual([1, 2, 3]);
  });

  it('gives the mean to who has no weight', () => {
    expect(taken([1, 3, 0], 6_000).map((count) => Math.round(count / 500))).toEqual([2, 6, 4]);
  });

  it('takes nobody twice in a row who weighs no more than half: picks are spread', () => {
    const stride = createStride([1, 1, 1, 3]);
    const order: number[] = [];
    for (let turn = 0; order.length < 600 && stride !== undefined; turn++) {
      turn = takerOf(stride, turn);
      order.push(turn % 4);
    }
    expect(order.filter((index, i) => index < 3 && index === order[i - 1])).toEqual([]);
  });

  it('keeps to ten times and a tenth of the mean', () => {
    const many = Array.from({ length: 99 }, () => 1);
    const stride = createStride([...many, 1_000_000]);
    // Their mean is 10000.99: the highest counts ten of it, the others a tenth.
    expect(stride?.weights.at(-1)).toBe(65_535);
    expect(stride?.weights[0]).toBe(655);
  });

  it('of any weights: shares are those of the weights, none is left out, and nothing takes longer than two rounds', () => {
    const weight = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 12 }), fc.nat(), (weights, from) => {
        const stride = createStride(weights);
        if (stride === undefined) return;
        const scaled = [...stride.weights];
        const sum = scaled.reduce((total, one) => total + one, 0);
        const picks = 2_000;
        for (const [index, count] of taken(weights, picks, from).entries()) {
          const share = (scaled[index] ?? 0) / sum;
          // Each is off by two picks at most, and by what its scaled weight is rounded.
          expect(Math.abs(count - share * picks)).toBeLessThanOrEqual(2 + weights.length);
        }
        const next = takerOf(stride, from);
        expect(next - from).toBeLessThan(2 * weights.length);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the shares that were reported, as long as they are within a tenth and ten times their mean', () => {
    const weight = fc.double({ min: 1, max: 5, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 8 }), (weights) => {
        const stride = createStride(weights);
        if (stride === undefined) return;
        const sum = weights.reduce((total, one) => total + one, 0);
        for (const [index, count] of taken(weights, 4_000).entries()) {
          expect(Math.abs(count / 4_000 - (weights[index] ?? 0) / sum)).toBeLessThan(0.005);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('holds at the end of the numbers of turns, and for weights at the ends of what a number can be', () => {
    const stride = createStride([Number.MAX_VALUE, Number.MAX_VALUE / 2, Number.MIN_VALUE]);
    expect([...(stride?.weights ?? [])]).toEqual([65_535, 32_768, 3_277]);
    if (stride === undefined) return;
    expect(takerOf(stride, 2 ** 32 - 1)).toBeLessThan(2 ** 32);
  });
});
