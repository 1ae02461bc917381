import { defaultOf } from '../defaults.ts';
import { grpcTimeoutMs } from '../match/grpc-timeout.ts';
import { headerValue } from '../match/headers.ts';
import type { ForwardAction, HedgePolicy, RetryPolicy } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { isGrpcRequest } from './deliver.ts';
import type { PolicyOptions } from './policy-options.ts';
import { conditionsOf } from './retry/retries.ts';
import type { StreamTimes } from './stream-limits.ts';
import { NO_WISHES, type Wishes } from './wishes.ts';

/** What a call is allowed: of its route, and of the caller's wishes. Times in ms, 0 = none. */
export interface CallTerms {
  /** Of the whole call, from the end of the request. */
  readonly timeoutMs: number;
  /** Of each attempt, to the head of its answer. */
  readonly perTryMs: number;
  /** Longest silence of one attempt. */
  readonly perTryIdleMs: number;
  /** Longest silence of the call, and longest time of all of it; undefined: neither. */
  readonly stream: StreamTimes | undefined;
  readonly retry: RetryPolicy | undefined;
  /** No answer below 400 is one that is retried. */
  readonly retriesOnlyErrors: boolean;
  readonly hedge: HedgePolicy | undefined;
  /** Of a stream body that are kept for another attempt. */
  readonly keepBytes: number;
  /** Whether the request may be sent again although a peer may have acted on it; by its method where undefined. */
  readonly idempotent: boolean | undefined;
}

const known = new WeakMap<ForwardAction, CallTerms>();

/** Without wishes or options the same object for every call of a route. */
export function termsOf(action: ForwardAction, wishes: Wishes | undefined, options?: PolicyOptions): CallTerms {
  const cache = options === undefined ? known : ofMeshes.get(options);
  if (wishes !== undefined || cache === undefined) return make(action, wishes, options);
  let terms = cache.get(action);
  if (terms === undefined) {
    terms = make(action, undefined, options);
    cache.set(action, terms);
  }
  return terms;
}

const ofMeshes = new WeakMap<PolicyOptions, WeakMap<ForwardAction, CallTerms>>();

/** Options that all calls of a mesh have: their terms are kept too. */
export function keepTermsOf(options: PolicyOptions): void {
  ofMeshes.set(options, new WeakMap());
}

function make(action: ForwardAction, wishes: Wishes | undefined, options: PolicyOptions | undefined): CallTerms {
  const retry = withOptions(retryPolicy(action.retry, wishes), options?.retry);
  const timeoutMs = wishes?.timeoutMs ?? action.timeoutMs ?? 0;
  const perTryMs = wishes?.perTryTimeoutMs ?? retry?.perTryTimeoutMs ?? 0;
  const hedge = hedgePolicy(action.hedge, wishes) ?? hedgeOption(options?.hedge);
  const isRepeated = (retry !== undefined && retry.numRetries > 0) || action.mirrors.length > 0 || hedge !== undefined;
  const { idleTimeoutMs = 0, maxStreamDurationMs = 0 } = action;
  const isLimited = idleTimeoutMs > 0 || maxStreamDurationMs > 0;
  return {
    timeoutMs,
    // Envoy FilterUtility::finalTimeout: one that is no shorter than the whole call's says nothing.
    perTryMs: timeoutMs > 0 && perTryMs >= timeoutMs ? 0 : perTryMs,
    perTryIdleMs: retry?.perTryIdleTimeoutMs ?? 0,
    stream: isLimited ? { idleMs: idleTimeoutMs, durationMs: maxStreamDurationMs } : undefined,
    retry,
    retriesOnlyErrors: retry === undefined || conditionsOf(retry).onlyErrors,
    hedge,
    keepBytes: isRepeated ? (action.bodyBufferBytes ?? options?.bodyBufferBytes ?? defaultOf('bodyBufferBytes')) : 0,
    // A caller who says that its request is not to be repeated knows it best.
    idempotent: options?.idempotent ?? (action.retryNonIdempotent ? true : undefined),
  };
}

/** What limits this stream: Envoy ConnectionManagerImpl::ActiveStream::refreshDurationTimeout, refreshIdleTimeout. */
export function streamTimes(
  { stream }: CallTerms,
  { grpcTimeoutMaxMs, grpcTimeoutOffsetMs = 0 }: ForwardAction,
  { request, isGrpc }: { readonly request: MeshRequest; readonly isGrpc: boolean },
): StreamTimes | undefined {
  if (grpcTimeoutMaxMs === undefined) return stream;
  // gRFC A31: for a gRPC client it is the longest time of the call, whether or not that has a deadline, which is the caller's.
  if (isGrpc) return { idleMs: stream?.idleMs ?? 0, durationMs: grpcTimeoutMaxMs };
  if (!isGrpcRequest(request)) return stream;
  const asked = grpcTimeoutMs(headerValue(request.headers, 'grpc-timeout'));
  if (asked === undefined) return stream;
  const bounded = grpcTimeoutMaxMs > 0 ? Math.min(asked, grpcTimeoutMaxMs) : asked;
  const durationMs = bounded > grpcTimeoutOffsetMs ? bounded - grpcTimeoutOffsetMs : bounded;
  return { idleMs: stream?.idleMs ?? 0, durationMs };
}

/** As Envoy's request headers would have it: words are added, numbers replace. */
function withOptions(policy: RetryPolicy | undefined, asked: PolicyOptions['retry']): RetryPolicy | undefined {
  if (asked === undefined) return policy;
  if (asked === false) return policy && { ...policy, numRetries: 0 };
  const { on = [], attempts, perTryTimeoutMs, statusCodes = [] } = asked;
  return retryPolicy(policy, {
    ...NO_WISHES,
    retryOn: [
      ...(typeof on === 'string' ? on.split(',').map((word) => word.trim()) : on),
      ...(statusCodes.length > 0 ? ['retriable-status-codes'] : []),
    ],
    retriableStatusCodes: statusCodes,
    maxRetries: attempts,
    perTryTimeoutMs,
  });
}

function hedgeOption(asked: PolicyOptions['hedge']): HedgePolicy | undefined {
  if (!asked) return undefined;
  const { delayMs, onPerTryTimeout = false, max } = asked;
  return {
    onPerTryTimeout,
    ...(delayMs !== undefined && { delay: delayMs }),
    ...(max !== undefined && { maxHedges: max }),
  };
}

/** Envoy RetryStateImpl: the words of policy and headers together; without any there are no retries. */
function retryPolicy(policy: RetryPolicy | undefined, wishes: Wishes | undefined): RetryPolicy | undefined {
  if (wishes === undefined) return policy;
  const { maxRetries, retryOn, retriableStatusCodes, perTryTimeoutMs } = wishes;
  if (policy === undefined && retryOn.length === 0) return undefined;
  const base = policy ?? NO_POLICY;
  return {
    ...base,
    on: [...base.on, ...retryOn],
    retriableStatusCodes: [...base.retriableStatusCodes, ...retriableStatusCodes],
    numRetries: maxRetries ?? base.numRetries,
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
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
