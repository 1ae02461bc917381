import { anyMatches, compileHeader, type HeaderTest, headerMatches } from '../../match/header-match.ts';
import { headerValue } from '../../match/headers.ts';
import type { RetryPolicy } from '../../model/action.ts';
import type { HeaderList } from '../../model/headers.ts';
import type { MeshRequest } from '../../model/request.ts';

/** Why an attempt has no answer, as far as retrying is concerned. `overflow` is never retried. */
export type ResetKind = 'connect-failure' | 'refused-stream' | 'reset' | 'per-try-timeout' | 'overflow';

/** A retry policy, ready to be asked. */
export interface RetryConditions {
  readonly words: ReadonlySet<string>;
  readonly codes: ReadonlySet<number>;
  readonly grpcStatuses: ReadonlySet<number>;
  readonly headers: readonly HeaderTest[];
  readonly requestHeaders: readonly HeaderTest[];
  /** Only an answer of 400 or more can be retried: the others need not be looked at. */
  readonly onlyErrors: boolean;
}

/** Envoy x-envoy-retry-grpc-on */
const GRPC_STATUS: ReadonlyMap<string, number> = new Map([
  ['cancelled', 1],
  ['deadline-exceeded', 4],
  ['resource-exhausted', 8],
  ['internal', 13],
  ['unavailable', 14],
]);

export const RETRIABLE_WORDS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'refused-stream',
  'envoy-ratelimited',
  'retriable-4xx',
  'retriable-status-codes',
  'retriable-headers',
  ...GRPC_STATUS.keys(),
]);

export function compileConditions(policy: RetryPolicy): RetryConditions {
  const { on, retriableStatusCodes, retriableHeaders = [], retriableRequestHeaders = [] } = policy;
  const grpcStatuses = new Set(on.flatMap((word) => GRPC_STATUS.get(word) ?? []));
  const words = new Set(on);
  const hasHeaders = words.has('retriable-headers') && retriableHeaders.length > 0;
  const hasLowCode = words.has('retriable-status-codes') && retriableStatusCodes.some((code) => code < 400);
  return {
    words,
    codes: new Set(words.has('retriable-status-codes') ? retriableStatusCodes : []),
    grpcStatuses,
    headers: hasHeaders ? retriableHeaders.map((match) => compileHeader(match)) : [],
    requestHeaders: retriableRequestHeaders.map((match) => compileHeader(match)),
    onlyErrors: grpcStatuses.size === 0 && !hasHeaders && !hasLowCode,
  };
}

/** Envoy RetryPolicy.retriable_request_headers: one is enough; without any every request may be retried. */
export const mayRetryRequest = ({ requestHeaders }: RetryConditions, request: MeshRequest): boolean =>
  requestHeaders.length === 0 || requestHeaders.some((test) => headerMatches(test, request));

/** Envoy RetryStateImpl::wouldRetryFromHeaders; the word that says so. */
export function retriableAnswer(
  { words, codes, grpcStatuses, headers: tests, onlyErrors }: RetryConditions,
  status: number,
  headers: HeaderList,
): string | undefined {
  if (onlyErrors && status < 400) return undefined;
  // An overloaded rate limiter is not to be asked again, unless that is wished for by name.
  if (headers.includes(RATE_LIMITED)) return words.has('envoy-ratelimited') ? 'envoy-ratelimited' : undefined;
  if (status >= 500 && words.has('5xx')) return '5xx';
  if (status >= 502 && status <= 504 && words.has('gateway-error')) return 'gateway-error';
  if (status === 409 && words.has('retriable-4xx')) return 'retriable-4xx';
  if (codes.has(status)) return 'retriable-status-codes';
  if (tests.some((test) => anyMatches(test, headers))) return 'retriable-headers';
  if (grpcStatuses.size === 0) return undefined;
  const grpcStatus = headerValue(headers, 'grpc-status');
  return grpcStatus !== undefined && grpcStatuses.has(Number(grpcStatus)) ? `grpc-status ${grpcStatus}` : undefined;
}

const RATE_LIMITED = 'x-envoy-ratelimited';

/**
 * Envoy RetryStateImpl::wouldRetryFromReset; the word that says so. A reset counts as a 5xx, since it becomes one.
 * `isSent`: some of the request has left. `grpcStatus`: what a gRPC call ends with for it, which counts as if the server had
 * said it (gRFC A6; Envoy looks only at what a server has said).
 */
export function retriableReset(
  { words, grpcStatuses }: RetryConditions,
  kind: ResetKind,
  isSent: boolean,
  grpcStatus?: number,
): string | undefined {
  if (kind === 'overflow') return undefined;
  if (grpcStatus !== undefined && grpcStatuses.has(grpcStatus)) return `grpc-status ${grpcStatus}`;
  if (words.has('reset')) return 'reset';
  if (!isSent && words.has('reset-before-request')) return 'reset-before-request';
  if (words.has('5xx')) return '5xx';
  if (words.has('gateway-error')) return 'gateway-error';
  return kind !== 'reset' && kind !== 'per-try-timeout' && words.has(kind) ? kind : undefined;
}
