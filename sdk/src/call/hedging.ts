import type { Clock, Timer } from '../clock.ts';
import type { HedgePolicy } from '../model/action.ts';
import type { RetryQuota } from './retry/retries.ts';

export interface HedgingParts {
  readonly policy: HedgePolicy;
  readonly clock: Clock;
  /** Room for attempts beside others: a hedge is a retry that comes early. */
  readonly quota: RetryQuota;
  /** How long 95 of 100 answers of the cluster take, ms; undefined while that is not known. */
  readonly p95Ms: () => number | undefined;
  /** Why the request cannot be sent twice, if so. */
  readonly isRefused: () => boolean;
  readonly begin: () => void;
}

/** Attempts begun beside one that is slow, after a fixed time or the cluster's own p95. What it took is given back by `close`. */
export class Hedging {
  readonly #parts: HedgingParts;
  #timer: Timer | undefined;
  #made = 0;
  #held = 0;

  constructor(parts: HedgingParts) {
    this.#parts = parts;
  }

  /** An attempt has begun: the next hedge is counted from here. */
  arm(): void {
    const { policy, clock, p95Ms } = this.#parts;
    const { delay, maxHedges = 1 } = policy;
    if (delay === undefined || this.#made >= maxHedges) return;
    const ms = delay === 'p95' ? p95Ms() : delay;
    if (ms === undefined) return;
    this.#timer?.cancel();
    this.#timer = clock.after(ms, () => this.#hedge());
  }

  /** No more hedges; those under way go on. */
  stop(): void {
    this.#timer?.cancel();
  }

  close(): void {
    this.stop();
    for (; this.#held > 0; this.#held--) this.#parts.quota.giveRetry();
  }

  #hedge(): void {
    const { quota, isRefused, begin } = this.#parts;
    if (isRefused() || !quota.takeRetry()) return;
    this.#held++;
    this.#made++;
    begin();
  }
}
