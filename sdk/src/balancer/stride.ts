/**
 * gRFC A58, static stride scheduler (gRPC C++ static_stride_scheduler.cc): a host of weight w is passed over in all but w of
 * 65535 rounds, spread evenly. A turn costs no more than a number; the weights never change.
 */
export interface Stride {
  readonly weights: Uint16Array;
}

const LARGEST = 65_535;
const HALF = 32_767;
/** Weights are kept within these multiples of their mean: no pick takes more than ten rounds, nobody is forgotten. */
const MOST_OF_MEAN = 10;
const LEAST_OF_MEAN = 0.1;

/** A weight of 0 is none: such a host has the mean. undefined: round robin will do, as fewer than two are known. */
export function createStride(weights: readonly number[]): Stride | undefined {
  const known = weights.filter((weight) => weight > 0);
  if (known.length < 2) return undefined;
  const highest = known.reduce((most, weight) => Math.max(most, weight), 0);
  // Weights of any size: their sum must not be infinite.
  const mean = known.reduce((sum, weight) => sum + weight / highest, 0) / known.length;
  const top = Math.min(1, MOST_OF_MEAN * mean);
  const scale = LARGEST / top;
  const scaledMean = Math.round(scale * mean);
  const bottom = Math.max(1, Math.round(scaledMean * LEAST_OF_MEAN));
  const scaled = weights.map((weight) =>
    weight > 0 ? Math.max(bottom, Math.round(Math.min(weight / highest, top) * scale)) : scaledMean,
  );
  return scaled.every((weight) => weight === scaled[0]) ? undefined : { weights: Uint16Array.from(scaled) };
}

/** The number of the turn, from `turn` on, that somebody takes: he is `number % hosts`. */
export function takerOf({ weights }: Stride, turn: number): number {
  const size = weights.length;
  for (let at = turn >>> 0; ; at = (at + 1) >>> 0) {
    const index = at % size;
    const round = Math.floor(at / size);
    const weight = weights[index] ?? LARGEST;
    if ((weight * round + index * HALF) % LARGEST >= LARGEST - weight) return at;
  }
}
