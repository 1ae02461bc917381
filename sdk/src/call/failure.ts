import { ConnectFailure } from '../connection/connect-failure.ts';
import { StreamFailure } from '../connection/stream-failure.ts';
import { MeshError, type MeshErrorCode } from '../errors.ts';
import type { ResponseFlag } from '../model/events.ts';
import type { PickFailure } from '../upstream/pick.ts';
import { type LocalReply, noHealthyUpstream, overflow, resetBody, timedOut } from './local-reply.ts';
import type { ResetKind } from './retry/conditions.ts';

/** Why an attempt has no answer, in Envoy's words (Http::Utility::resetReasonToString). */
export interface AttemptFailure {
  readonly kind: ResetKind;
  readonly flag: ResponseFlag;
  readonly code: MeshErrorCode;
  readonly status: number;
  readonly resetReason: string;
  readonly what: string;
  readonly cause: unknown;
}

/** router.cc streamResetReasonToResponseFlag */
export function failedConnect(failure: ConnectFailure, endpoint: string): AttemptFailure {
  if (failure.kind === 'overflow') return { ...OVERFLOW, what: failure.message };
  if (failure.kind === 'protocol' || failure.kind === 'lost')
    return { ...RESETS[failure.kind], ...told(failure, endpoint) };
  const isTimeout = failure.kind === 'timeout';
  return {
    kind: 'connect-failure',
    flag: failure.kind === 'name' ? 'UH' : 'UF',
    code: failure.cause instanceof MeshError ? failure.cause.code : 'MESH_CONNECT_FAILED',
    status: 503,
    resetReason: isTimeout ? 'connection timeout' : 'remote connection failure',
    what: `${endpoint}: ${failure.message}`,
    cause: failure,
  };
}

/** We have no identity to show, or the peer's was refused. */
export const isIdentityFailure = ({ code }: AttemptFailure): boolean =>
  code === 'MESH_PEER_REFUSED' || code === 'MESH_IDENTITY_UNAVAILABLE';

/** Nothing of the request has gone anywhere, and another host may be better: what gRPC's clients never tell their callers of. */
export const isUnreached = ({ kind, code, cause }: AttemptFailure): boolean =>
  (kind === 'connect-failure' || kind === 'reset') &&
  code !== 'MESH_TIMEOUT' &&
  code !== 'MESH_IDENTITY_UNAVAILABLE' &&
  !(cause instanceof ConnectFailure && cause.kind === 'closed');

/** `hasBegun`: part of a response head had come; then it is not HTTP what the peer sent (Envoy: protocol error, 502). */
export function failedRequest(error: Error, endpoint: string, hasBegun: boolean): AttemptFailure {
  if (error instanceof StreamFailure) return { ...RESETS[error.kind], ...told(error, endpoint) };
  const code = codeOf(error);
  const isProtocolError = hasBegun || code.startsWith(PARSER_ERROR) || PROTOCOL_ERRORS.has(code);
  return {
    kind: 'reset',
    flag: isProtocolError ? 'UPE' : 'UC',
    code: 'MESH_RESET',
    status: isProtocolError ? 502 : 503,
    resetReason: isProtocolError ? 'protocol error' : 'connection termination',
    what: `${endpoint}: ${error.message}`,
    cause: error,
  };
}

/** Envoy CodecClient and Http::Utility::resetReasonToString, for what HTTP/2 tells apart. */
const RESETS = {
  refused: reset('refused-stream', 'UR', 503, 'remote refused stream reset'),
  reset: reset('reset', 'UR', 503, 'remote reset'),
  protocol: reset('reset', 'UPE', 502, 'protocol error'),
  lost: reset('reset', 'UC', 503, 'connection termination'),
  upgrade: reset('reset', 'UPE', 502, 'protocol error'),
} as const;

function reset(kind: ResetKind, flag: ResponseFlag, status: number, resetReason: string) {
  return { kind, flag, code: 'MESH_RESET', status, resetReason } as const;
}

const told = (error: Error, endpoint: string) => ({ what: `${endpoint}: ${error.message}`, cause: error });

/** The breaker of the cluster has no room. */
export const noRoom = (cluster: string): AttemptFailure => ({
  ...OVERFLOW,
  what: `as many requests to ${cluster} are under way as may be`,
});

const OVERFLOW = {
  kind: 'overflow',
  flag: 'UO',
  code: 'MESH_OVERFLOW',
  status: 503,
  resetReason: 'overflow',
  cause: undefined,
} as const;

/** The attempt took longer than its own time. */
export const tooLate = (endpoint: string, ms: number): AttemptFailure => ({
  kind: 'per-try-timeout',
  flag: 'UT',
  code: 'MESH_TIMEOUT',
  status: 504,
  resetReason: '',
  what: `${endpoint}: no answer within ${Math.round(ms)} ms`,
  cause: undefined,
});

/** Envoy HttpProtocolOptions.max_stream_duration: retried as a reset is. */
export const streamTooLong = (cluster: string): AttemptFailure => ({
  kind: 'reset',
  flag: 'UMSDR',
  code: 'MESH_TIMEOUT',
  status: 504,
  resetReason: '',
  what: `a request to ${cluster} may not take that long`,
  cause: undefined,
});

const PROTOCOL_ERRORS: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
const PARSER_ERROR = 'HPE_';
/** Nothing is wrong with the connection: undici cannot send such a request. */
const INVALID: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

export const isInvalidRequest = (error: Error): boolean => INVALID.has(codeOf(error));

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '');

/** A name without an address is what STRICT_DNS calls a cluster without hosts. */
export function replyFor(failure: AttemptFailure, isRetry: boolean): LocalReply {
  const { flag, code, status, resetReason, what, cause } = failure;
  if (flag === 'UH') return noHealthyUpstream(what, cause);
  if (flag === 'UO') return overflow(what, isRetry);
  if (flag === 'UT') return timedOut(what);
  if (flag === 'UMSDR') return { ...timedOut(what), body: 'upstream max stream duration reached', flag };
  return { status, body: resetBody(resetReason, isRetry), headers: [], flag, code, what, cause };
}

/** There was nobody to send it to. */
export const pickFailure = ({ flag, reason }: PickFailure): LocalReply =>
  flag === 'UO' ? overflow(reason) : noHealthyUpstream(reason);
