import { defaultOf } from '../defaults.ts';

/**
 * What retries may add to the requests of a while. Envoy's budget is a share of what is under way at one moment: while requests
 * queue at a slow upstream the same few places are taken over and over, and a thousand callers at once came to 1.36 requests a
 * call. This counts, as the budgets of Finagle and Linkerd do: of the first requests of some seconds, and of those under way when
 * they began, a fifth may be retried, or the minimum.
 */
export class RetryShare {
  readonly #now: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #retries = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A request, first or not. */
  count(): void {
    this.#requests++;
  }

  /** One more retry is within the share, and counted. `firstsUnderWay`: requests that are no retries. */
  take(firstsUnderWay: number): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#sinceMs >= defaultOf('retryShareMs')) {
      this.#sinceMs = nowMs;
      this.#requests = Math.max(firstsUnderWay, 0);
      this.#retries = 0;
    }
    // A retry that waits is counted already and no request yet: too few firsts rather than too many.
    const firsts = this.#requests - this.#retries;
    if (this.#retries >= Math.max((firsts * defaultOf('retryBudgetPercent')) / 100, defaultOf('retryShareMinimum')))
      return false;
    this.#retries++;
    return true;
  }
}
