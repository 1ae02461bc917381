/** Call policy by the caller: what the configuration says of the same thing wins, but for what turns something off. */
export interface PolicyOptions {
  /**
   * Whether the request may be sent again although a peer may have acted on it. Left out: GET, HEAD, OPTIONS, TRACE, PUT,
   * DELETE and QUERY may, what carries an `Idempotency-Key`, and gRPC.
   */
  readonly idempotent?: boolean;
  /** `false`: no retries, whatever the route says. */
  readonly retry?: false | RetryOptions;
  /** A second attempt beside one that is slow; only for what may be sent twice, and within the retries there are. */
  readonly hedge?: false | HedgeOptions;
  /** `false`: where no resource limits retries, nothing does; left out: a budget of 20 % of what is under way, at least 3. */
  readonly retryBudget?: false;
  /** Of a stream that are kept so that it can be sent again; 65,536 when left out. */
  readonly bodyBufferBytes?: number;
}

/** As Envoy's `x-envoy-retry-on` and `x-envoy-max-retries`: words are added to the route's, numbers replace its own. */
export interface RetryOptions {
  /** Envoy's words: `5xx`, `gateway-error`, `reset`, `connect-failure`, `retriable-status-codes`, `unavailable` … */
  readonly on?: string | readonly string[];
  /** Retries after the first attempt. */
  readonly attempts?: number;
  readonly perTryTimeoutMs?: number;
  /** Answers with these are retried, whatever `on` says. */
  readonly statusCodes?: readonly number[];
}

export interface HedgeOptions {
  /** How long after the attempt before; `p95`: as long as the host's service takes for 95 of 100 answers. */
  readonly delayMs?: number | 'p95';
  /** When the per-try timeout is over the attempt goes on beside the next. */
  readonly onPerTryTimeout?: boolean;
  /** 1 when left out. */
  readonly max?: number;
}
