import type { Fraction } from '../model/match.ts';

/** Runtime keys that are set: a percentage, or whether at all. */
export type Runtime = ReadonlyMap<string, boolean | number>;

/**
 * Envoy FractionalPercent: `draw % denominator < numerator`. Every fraction of one request sees the same draw, as in
 * Envoy, where the stream's random value decides them all. A runtime key that is set comes before the fraction's own value.
 */
export function fractionMatches(fraction: Fraction, draw: number, runtime?: Runtime): boolean {
  const { numerator, denominator, runtimeKey } = fraction;
  if (runtime !== undefined && runtimeKey !== undefined) {
    const set = keyMatches(runtime.get(runtimeKey), draw);
    if (set !== undefined) return set;
  }
  return drawModulo(draw, denominator) < numerator;
}

/**
 * Envoy SnapshotImpl::featureEnabled: a number is a percentage, whatever the fraction's denominator, and above 100 always
 * holds. true and false are all and nothing.
 */
function keyMatches(value: boolean | number | undefined, draw: number): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const percent = runtimeInteger(value);
  return percent === undefined ? undefined : percent > 100 || drawModulo(draw, 100) < percent;
}

/** What Envoy reads where it wants an integer: cut off behind the point; nothing of a negative one (SnapshotImpl::setNumberValue). */
export const runtimeInteger = (value: boolean | number | undefined): number | undefined =>
  typeof value === 'number' && value >= 0 ? Math.trunc(value) : undefined;

/** A draw is 32 bits wide; explain may be given a longer one. */
export const drawModulo = (draw: number, size: number): number =>
  // As 32-bit integers: a floating-point remainder costs ten times as much.
  draw <= 0xffff_ffff ? (draw >>> 0) % (size >>> 0) : draw % size;
