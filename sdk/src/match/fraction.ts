import type { Fraction } from '../model/match.ts';

/**
 * Envoy FractionalPercent: `draw % denominator < numerator`. Every fraction of one request sees the same draw, as in
 * Envoy, where the stream's random value decides them all.
 */
export const fractionMatches = (fraction: Fraction, draw: number): boolean =>
  (draw >>> 0) % fraction.denominator < fraction.numerator;
