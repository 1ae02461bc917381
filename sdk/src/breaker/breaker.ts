import type { MeshRequestInit, MeshResponse } from '../http/call-policy.ts';

/** How a breaker judges one upstream. All of it may be left out. */
export interface BreakerOptions {
  /** How long an answer's head may take; later is a failure and ends the call. 10 s when left out. */
  readonly timeoutMs?: number;
  /** The breaker opens when more than this share of the last 10 s' calls failed. 50 when left out. */
  readonly errorThresholdPercent?: number;
  /** It does not open on fewer calls than this in the last 10 s. 10 when left out. */
  readonly volumeThreshold?: number;
  /** How long it stays open before one call is let through to try. 30 s when left out. */
  readonly resetMs?: number;
  /** Whether an answer counts as a failure; status ≥ 500 does when left out. Its body is not to be read here. */
  readonly isFailure?: (response: MeshResponse) => boolean;
  /** Answers in place of a call that failed or was not made. What it throws, the caller gets. */
  readonly fallback?: (request: BrokenRequest, reason: FailureReason) => Response | Promise<Response>;
}

/** What the caller asked for, as given to `fetch`. */
export interface BrokenRequest {
  readonly url: string;
  readonly input: string | URL | Request;
  readonly init: MeshRequestInit | undefined;
}

/**
 * Why a call counts as failed. `open`: it was not made. `timeout`: no answer came in time. `answer`: this answer is a failure.
 * `error`: fetch rejected.
 */
export type FailureReason =
  | { readonly kind: 'open' | 'timeout' | 'error'; readonly error: unknown }
  | { readonly kind: 'answer'; readonly response: MeshResponse };

/** `half-open`: one call is let through; its success closes the breaker, its failure opens it again. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What happened at a breaker. Of one call in this order: timeout, failure, open, fallback. */
export type BreakerEvent =
  | { readonly kind: 'open' | 'half-open' | 'close' | 'reject'; readonly host: string }
  | { readonly kind: 'success' | 'timeout'; readonly host: string; readonly durationMs: number }
  | { readonly kind: 'failure'; readonly host: string; readonly durationMs: number; readonly reason: FailureReason }
  | { readonly kind: 'fallback'; readonly host: string; readonly reason: FailureReason };

/** Counts of the last 10 s. */
export interface BreakerStats {
  readonly state: BreakerState;
  /** All calls, rejected ones included. */
  readonly calls: number;
  readonly successes: number;
  /** Timeouts included. */
  readonly failures: number;
  readonly timeouts: number;
  /** Not made, because the breaker was open. */
  readonly rejects: number;
  readonly fallbacks: number;
}

/** The application's own circuit breaker of one upstream, above whatever the mesh does to its calls. */
export interface Breaker {
  /** `host:port`. */
  readonly host: string;
  readonly state: BreakerState;
  /**
   * The mesh's fetch behind this breaker, for URLs of its host. Without a fallback: a failing answer resolves as it is; while
   * the breaker is open it rejects with MESH_BREAKER_OPEN, past its time with MESH_TIMEOUT, else as fetch does.
   */
  fetch(input: string | URL | Request, init?: MeshRequestInit): Promise<MeshResponse>;
  stats(): BreakerStats;
  /** Hears every event until the returned function is called. */
  on(listener: (event: BreakerEvent) => void): () => void;
  /** Takes the breaker away: its `fetch` is the mesh's own from now on, and `mesh.breaker` makes a new one. */
  remove(): void;
}
