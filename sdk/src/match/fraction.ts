import type { Fraction } from '../model/match.ts';

/** Runtime keys that are set: a percentage, or whether at all. */
export type Runtime = ReadonlyMap<string, boolean | number>;

/**
 * Envoy FractionalPercent: `draw % denominator < numerator`. Every fraction of one request sees the same draw, as in
 * Envoy, where the stream's random value decides them all. Where a runtime is given, a fraction with a key asks it first.
 */
export function fractionMatches(fraction: Fraction, draw: number, runtime?: Runtime): boolean {
  const { numerator, denominator, runtimeKey } = fraction;
  if (runtime === undefined || runtimeKey === undefined) return drawModulo(draw, denominator) < numerator;
  return keyMatches(fraction, draw, runtime.get(runtimeKey));
}

/**
 * As Envoy's route table check tool has it: a key that is not set takes its route out, one that is set leaves the
 * fraction's own value to decide. A number is a percentage (Envoy SnapshotImpl::featureEnabled).
 */
function keyMatches({ numerator, denominator }: Fraction, draw: number, value: boolean | number | undefined): boolean {
  if (typeof value === 'number') return drawModulo(draw, 100) < value;
  return value === true && drawModulo(draw, denominator) < numerator;
}

/** A draw is 32 bits wide; explain may be given a longer one. */
export const drawModulo = (draw: number, size: number): number =>
  // As 32-bit integers: a floating-point remainder costs ten times as much.
  draw <= 0xffff_ffff ? (draw >>> 0) % (size >>> 0) : draw % size;
