import { defaultOf } from '../defaults.ts';
import type { ForwardAction, HedgePolicy, RetryPolicy } from '../model/action.ts';
import type { Wishes } from './wishes.ts';

/** What a call is allowed: of its route, and of the caller's wishes. Times in ms, 0 = none. */
export interface CallTerms {
  /** Of the whole call, from the end of the request. */
  readonly timeoutMs: number;
  /** Of each attempt. */
  readonly perTryMs: number;
  readonly retry: RetryPolicy | undefined;
  readonly hedge: HedgePolicy | undefined;
  /** Of a stream body that are kept for another attempt. */
  readonly keepBytes: number;
}

const known = new WeakMap<ForwardAction, CallTerms>();

/** Without wishes the same object for every call of a route. */
export function termsOf(action: ForwardAction, wishes: Wishes | undefined): CallTerms {
  if (wishes !== undefined) return make(action, wishes);
  let terms = known.get(action);
  if (terms === undefined) {
    terms = make(action, undefined);
    known.set(action, terms);
  }
  return terms;
}

function make(action: ForwardAction, wishes: Wishes | undefined): CallTerms {
  const retry = retryPolicy(action.retry, wishes);
  const timeoutMs = wishes?.timeoutMs ?? action.timeoutMs ?? 0;
  const perTryMs = wishes?.perTryTimeoutMs ?? retry?.perTryTimeoutMs ?? 0;
  const hedge = hedgePolicy(action.hedge, wishes);
  const isRepeated = (retry !== undefined && retry.numRetries > 0) || action.mirrors.length > 0 || hedge !== undefined;
  return {
    timeoutMs,
    // Envoy FilterUtility::finalTimeout: one that is no shorter than the whole call's says nothing.
    perTryMs: timeoutMs > 0 && perTryMs >= timeoutMs ? 0 : perTryMs,
    retry,
    hedge,
    keepBytes: isRepeated ? (action.bodyBufferBytes ?? defaultOf('bodyBufferBytes')) : 0,
  };
}

/** Envoy RetryStateImpl: the words of policy and headers together; without any there are no retries. */
function retryPolicy(policy: RetryPolicy | undefined, wishes: Wishes | undefined): RetryPolicy | undefined {
  if (wishes === undefined) return policy;
  const { maxRetries, retryOn, retriableStatusCodes } = wishes;
  if (policy === undefined && retryOn.length === 0) return undefined;
  const base = policy ?? NO_POLICY;
  return {
    ...base,
    on: [...base.on, ...retryOn],
    retriableStatusCodes: [...base.retriableStatusCodes, ...retriableStatusCodes],
    numRetries: maxRetries ?? base.numRetries,
  };
}

function hedgePolicy(policy: HedgePolicy | undefined, wishes: Wishes | undefined): HedgePolicy | undefined {
  const asked = wishes?.hedgeOnPerTryTimeout;
  if (asked === undefined) return policy;
  return asked || policy?.delay !== undefined ? { ...policy, onPerTryTimeout: asked } : undefined;
}

/** Envoy RetryPolicy where a request's headers alone ask for retries: one. */
const NO_POLICY: RetryPolicy = {
  on: [],
  retriableStatusCodes: [],
  numRetries: 1,
  baseIntervalMs: defaultOf('retryBaseMs'),
  maxIntervalMs: defaultOf('retryBaseMs') * 10,
  previousHosts: false,
  hostSelectionAttempts: defaultOf('hostSelectionAttempts'),
};
