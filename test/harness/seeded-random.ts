import type { Random } from '../../sdk/src/clock.ts';

/** A source of chance that repeats itself: xorshift32 from a seed other than 0. */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * Whether `count` of `draws` is believable for a share: outside of these bounds it is so once in a million times
 * (normal approximation, 4.9 standard deviations).
 */
export function isWithinBinomial(count: number, draws: number, share: number): boolean {
  return Math.abs(count - draws * share) <= 4.9 * Math.sqrt(draws * share * (1 - share)) + 1;
}
