import { defaultOf } from '../defaults.ts';

/** Buckets a doubling: a value is told within 9 %. */
const STEPS = 8;
/** From an eighth of a millisecond to over two hours. */
const BUCKETS = 26 * STEPS;
const SMALLEST_MS = 0.125;
const SHARE = 0.95;

/**
 * How long attempts took that went well, of this window and the one before: a count for each of so many buckets, whatever
 * the traffic.
 */
export class Latencies {
  #now = new Uint32Array(BUCKETS);
  #before = new Uint32Array(BUCKETS);
  #count = 0;
  #countBefore = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  add(ms: number, nowMs: number): void {
    this.#turn(nowMs);
    const bucket = Math.floor(Math.log2(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * STEPS);
    const at = Math.min(bucket, BUCKETS - 1);
    this.#now[at] = (this.#now[at] ?? 0) + 1;
    this.#count++;
  }

  /** Undefined while too few are known. */
  p95(nowMs: number): number | undefined {
    this.#turn(nowMs);
    const total = this.#count + this.#countBefore;
    if (total < defaultOf('latencySamples')) return undefined;
    let left = Math.ceil(total * SHARE);
    let bucket = 0;
    for (; bucket < BUCKETS - 1; bucket++) {
      left -= (this.#now[bucket] ?? 0) + (this.#before[bucket] ?? 0);
      if (left <= 0) break;
    }
    return SMALLEST_MS * 2 ** ((bucket + 1) / STEPS);
  }

  #turn(nowMs: number): void {
    const windowMs = defaultOf('latencyWindowMs');
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs < windowMs) return;
    const old = this.#before;
    this.#before = this.#now;
    this.#countBefore = this.#count;
    this.#now = old.fill(0);
    this.#count = 0;
    this.#sinceMs = nowMs;
    if (ageMs < 2 * windowMs) return;
    this.#before.fill(0);
    this.#countBefore = 0;
  }
}
