import { describe, expect, it } from 'vitest';
import { binomialBounds } from './binomial.ts';

describe('binomialBounds', () => {
  it('leaves no room where the share is certain', () => {
    expect(binomialBounds(100, 1)).toEqual({ low: 100, high: 100 });
    expect(binomialBounds(100, 0)).toEqual({ low: 0, high: 0 });
  });

  it('is about 4.9 standard deviations wide on either side for one in a million', () => {
    const { low, high } = binomialBounds(10_000, 0.5);
    expect(5_000 - low).toBeGreaterThan(4.7 * 50);
    expect(high - 5_000).toBeLessThan(5.1 * 50);
  });

  it('is skewed for small shares', () => {
    const { low, high } = binomialBounds(200, 0.1);
    expect(low).toBeGreaterThanOrEqual(1);
    expect(20 - low).toBeLessThan(high - 20);
  });
});
