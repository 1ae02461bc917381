import { defaultOf } from '../defaults.ts';
import type { CircuitBreaker, RetryBudget } from '../model/cluster.ts';
import { RetryShare } from './retry-share.ts';

/** What one priority of a cluster has under way in this process. */
export interface BreakerCounts {
  readonly connections: number;
  readonly pending: number;
  readonly requests: number;
  readonly retries: number;
}

/**
 * Envoy's circuit breaker of one priority of one cluster, counted per process: what is taken is given back, once. Limits
 * may change while things are under way; what is there stays.
 */
export class Breaker implements BreakerCounts {
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;
  #limits: CircuitBreaker;
  #budget: RetryBudget | undefined;
  readonly #share: RetryShare;

  constructor(limits: CircuitBreaker, hasDefaultBudget = true, now: () => number = () => 0) {
    this.#share = new RetryShare(now);
    this.#limits = limits;
    this.#budget = budgetOf(limits, hasDefaultBudget);
  }

  /** A new configuration. */
  adopt(limits: CircuitBreaker, hasDefaultBudget = true): void {
    this.#limits = limits;
    this.#budget = budgetOf(limits, hasDefaultBudget);
  }

  /** Connections to one host (Envoy per_host_thresholds). */
  get maxConnectionsPerHost(): number {
    return this.#limits.maxConnectionsPerHost ?? Number.POSITIVE_INFINITY;
  }

  /** Retries are limited by a resource, not by the default budget alone. */
  get hasOwnRetryLimit(): boolean {
    return this.#limits.retryBudget !== undefined || this.#limits.maxRetries !== undefined;
  }

  /** Little room is left: what nobody waits for stays away. */
  get isCrowded(): boolean {
    const { maxRequests, maxPendingRequests } = this.#limits;
    return isNearly(this.requests, maxRequests) || isNearly(this.pending, maxPendingRequests);
  }

  /** `isFirst`: the host has no connection yet; it may always have one, so that nobody waits for ever (as in Envoy). */
  takeConnection(isFirst: boolean): boolean {
    if (!isFirst && this.connections >= (this.#limits.maxConnections ?? Number.POSITIVE_INFINITY)) return false;
    this.connections++;
    return true;
  }

  giveConnection(): void {
    this.connections--;
  }

  /** A request that waits for a connection. */
  takePending(): boolean {
    if (this.pending >= (this.#limits.maxPendingRequests ?? Number.POSITIVE_INFINITY)) return false;
    this.pending++;
    return true;
  }

  givePending(): void {
    this.pending--;
  }

  /** A request on a connection, HTTP/1.1 and HTTP/2 alike. */
  takeRequest(): boolean {
    if (this.requests >= (this.#limits.maxRequests ?? Number.POSITIVE_INFINITY)) return false;
    this.requests++;
    this.#share.count();
    return true;
  }

  giveRequest(): void {
    this.requests--;
  }

  /** A retry, from the moment it is decided on to the decision on its own answer. */
  takeRetry(): boolean {
    if (this.retries >= this.#maxRetries()) return false;
    if (this.#hasDefaultBudget && !this.#share.take(this.requests - this.retries)) return false;
    this.retries++;
    return true;
  }

  giveRetry(): void {
    this.retries--;
  }

  get #hasDefaultBudget(): boolean {
    return this.#budget !== undefined && this.#budget !== this.#limits.retryBudget;
  }

  /** Envoy ResourceManagerImpl::RetryBudgetImpl: a share of what is under way; a fixed number where no budget is set. */
  #maxRetries(): number {
    const budget = this.#budget;
    if (budget === undefined) return this.#limits.maxRetries ?? Number.POSITIVE_INFINITY;
    const share = ((this.requests + this.pending) * budget.percent) / 100;
    return Math.max(Math.floor(share), budget.minConcurrency);
  }
}

/** Four fifths of a limit, and the last place of a small one; where nothing is under way there is room. */
const isNearly = (count: number, limit = Number.POSITIVE_INFINITY): boolean =>
  count > 0 ? count + 1 > limit * 0.8 : limit === 0;

/** Where no resource limits retries at all the mesh does: a storm of retries is nobody's wish. */
function budgetOf({ retryBudget, maxRetries }: CircuitBreaker, hasDefaultBudget: boolean): RetryBudget | undefined {
  if (retryBudget !== undefined || maxRetries !== undefined || !hasDefaultBudget) return retryBudget;
  return { percent: defaultOf('retryBudgetPercent'), minConcurrency: defaultOf('retryBudgetMinimum') };
}
