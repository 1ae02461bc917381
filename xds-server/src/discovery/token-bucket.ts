export interface BucketShape {
  readonly perSecond: number;
  readonly burst: number;
}

/** Spends freely up to a burst; whoever goes beyond it has to wait until the debt is paid. Pure: the time is passed in. */
export class TokenBucket {
  readonly #shape: BucketShape;
  #tokens: number;
  #atMs: number;

  constructor(shape: BucketShape, nowMs: number) {
    this.#shape = shape;
    this.#tokens = shape.burst;
    this.#atMs = nowMs;
  }

  /** How many ms to wait before the next time; 0 where nothing is owed. */
  spend(tokens: number, nowMs: number): number {
    const { perSecond, burst } = this.#shape;
    const earned = ((nowMs - this.#atMs) / 1_000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + earned) - tokens;
    this.#atMs = nowMs;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / perSecond) * 1_000);
  }
}
