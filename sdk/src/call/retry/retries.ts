import type { Random } from '../../clock.ts';
import { headerValue } from '../../match/headers.ts';
import type { RetryPolicy } from '../../model/action.ts';
import type { RetryRefusal } from '../../model/events.ts';
import type { HeaderList } from '../../model/headers.ts';
import type { MeshRequest } from '../../model/request.ts';
import { backOffMs, rateLimitedMs } from './back-off.ts';
import {
  compileConditions,
  mayRetryRequest,
  type ResetKind,
  type RetryConditions,
  retriableAnswer,
  retriableReset,
} from './conditions.ts';

/** What to do about an attempt that went wrong. */
export type RetryVerdict =
  | { readonly kind: 'retry'; readonly afterMs: number }
  /** Nothing asks for a retry: the answer stands. */
  | { readonly kind: 'final' }
  /** It would be retried, but for this. */
  | { readonly kind: 'refused'; readonly refusal: RetryRefusal };

/** Room for retries among everybody's (Envoy max_retries or retry_budget). */
export interface RetryQuota {
  takeRetry(): boolean;
  giveRetry(): void;
}

export interface RetriesParts {
  readonly policy: RetryPolicy;
  readonly request: MeshRequest;
  readonly quota: RetryQuota;
  readonly random: Random;
}

/** gRFC A6, pushback: when the server wants to be asked again; what is no number means not at all. */
const PUSHBACK = 'grpc-retry-pushback-ms';

const FINAL: RetryVerdict = { kind: 'final' };

const compiled = new WeakMap<RetryPolicy, RetryConditions>();

/** Made once for each policy. */
export function conditionsOf(policy: RetryPolicy): RetryConditions {
  let conditions = compiled.get(policy);
  if (conditions === undefined) {
    conditions = compileConditions(policy);
    compiled.set(policy, conditions);
  }
  return conditions;
}

/** The retries of one call, as Envoy's RetryStateImpl counts them. A quota that was taken is given back by `close`. */
export class Retries {
  readonly #policy: RetryPolicy;
  readonly #conditions: RetryConditions;
  readonly #quota: RetryQuota;
  readonly #random: Random;
  readonly #isAllowed: boolean;
  #left: number;
  #done = 0;
  #holds = false;

  constructor({ policy, request, quota, random }: RetriesParts) {
    this.#policy = policy;
    this.#conditions = conditionsOf(policy);
    this.#quota = quota;
    this.#random = random;
    this.#left = policy.numRetries;
    this.#isAllowed = mayRetryRequest(this.#conditions, request);
  }

  /** `obstacle`: why the request cannot be sent again, if so. */
  afterAnswer(
    { status, headers }: { readonly status: number; readonly headers: HeaderList },
    wallTimeMs: number,
    obstacle: RetryRefusal | undefined,
  ): RetryVerdict {
    this.close();
    if (!this.#isAllowed || retriableAnswer(this.#conditions, status, headers) === undefined) return FINAL;
    const pushback = headerValue(headers, PUSHBACK);
    if (pushback !== undefined) return /^\d{1,9}$/.test(pushback) ? this.#take(obstacle, Number(pushback)) : FINAL;
    const { rateLimitedBackOff } = this.#policy;
    const asked =
      rateLimitedBackOff && rateLimitedMs(rateLimitedBackOff, headers, { wallTimeMs, random: this.#random });
    return this.#take(obstacle, asked);
  }

  /** `grpcStatus`: what a gRPC call would end with. */
  afterReset(kind: ResetKind, isSent: boolean, obstacle: RetryRefusal | undefined, grpcStatus?: number): RetryVerdict {
    this.close();
    if (!this.#isAllowed || retriableReset(this.#conditions, kind, isSent, grpcStatus) === undefined) return FINAL;
    return this.#take(obstacle);
  }

  /** One more attempt beside one that goes on: whatever the policy retries on. */
  hedge(obstacle: RetryRefusal | undefined): RetryVerdict {
    this.close();
    return this.#take(obstacle);
  }

  /** The call is over, or the answer of its retry is there. */
  close(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#quota.giveRetry();
  }

  #take(obstacle: RetryRefusal | undefined, askedMs?: number): RetryVerdict {
    if (this.#left <= 0) return REFUSED.limit;
    if (obstacle !== undefined) return REFUSED[obstacle];
    if (!this.#quota.takeRetry()) return REFUSED.overflow;
    this.#holds = true;
    this.#left--;
    return { kind: 'retry', afterMs: askedMs ?? backOffMs(this.#policy, this.#done++, this.#random) };
  }
}

const refused = (refusal: RetryRefusal): RetryVerdict => ({ kind: 'refused', refusal });

const REFUSED: Readonly<Record<RetryRefusal, RetryVerdict>> = {
  limit: refused('limit'),
  overflow: refused('overflow'),
  body: refused('body'),
  method: refused('method'),
};
