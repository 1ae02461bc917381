import { MeshError, type MeshErrorCode } from '../errors.ts';
import type { CallStory, ResponseFlag } from '../model/events.ts';
import type { FaultAbort } from './fault/fault.ts';

/** An answer the mesh makes itself, as Envoy 1.40 makes it (Http::Utility::sendLocalReply, router.cc). */
export interface LocalReply {
  readonly status: number;
  readonly body: string | Uint8Array;
  /** text/plain where it is not given. */
  readonly contentType?: string;
  /** Flat, beside content-length, content-type and date. */
  readonly headers: readonly string[];
  readonly flag: ResponseFlag | undefined;
  /** undefined: a configured answer, not a failure. */
  readonly code: MeshErrorCode | undefined;
  /** What happened, for a reader. */
  readonly what: string;
  readonly cause?: unknown;
  /** To a gRPC request; by the status where it is not given. */
  readonly grpcStatus?: number;
}

const NO_HEADERS: readonly string[] = [];

export const noRoute = (what: string): LocalReply => ({
  status: 404,
  body: '',
  headers: NO_HEADERS,
  flag: 'NR',
  code: 'MESH_NO_ROUTE',
  what,
});

/** Envoy ClusterNotFoundResponseCode, whose default is 503. */
export const noCluster = (what: string, status = 503): LocalReply => ({
  status,
  body: '',
  headers: NO_HEADERS,
  flag: 'NC',
  code: 'MESH_NO_CLUSTER',
  what,
});

/** No configuration has come for the host in time. */
export const notReady = (what: string): LocalReply => ({ ...noCluster(what), code: 'MESH_NOT_READY' });

/** Istio's BlackHoleCluster under REGISTRY_ONLY: its `block_all` route answers 502 without a body. */
export const blocked = (what: string): LocalReply => ({
  status: 502,
  body: '',
  headers: NO_HEADERS,
  flag: undefined,
  code: 'MESH_BLOCKED',
  what,
});

export const noHealthyUpstream = (what: string, cause?: unknown): LocalReply => ({
  status: 503,
  body: 'no healthy upstream',
  headers: NO_HEADERS,
  flag: 'UH',
  code: 'MESH_NO_HEALTHY_UPSTREAM',
  what,
  cause,
});

export const timedOut = (what: string): LocalReply => ({
  status: 504,
  body: 'upstream request timeout',
  headers: NO_HEADERS,
  flag: 'UT',
  code: 'MESH_TIMEOUT',
  what,
});

/** Envoy RouteAction.idle_timeout. */
export const silent = (what: string): LocalReply => ({ ...timedOut(what), body: 'stream timeout', flag: 'SI' });

/** Envoy RouteAction.max_stream_duration: 504 without a flag. */
export const tooLong = (what: string): LocalReply => ({
  ...timedOut(what),
  body: 'downstream duration timeout',
  flag: undefined,
  grpcStatus: DEADLINE_EXCEEDED,
});

const DEADLINE_EXCEEDED = 4;

/** An injected abort (Envoy FaultFilter::abortWithStatus). */
export const faultReply = ({ status, grpcStatus }: FaultAbort): LocalReply => ({
  status,
  body: 'fault filter abort',
  headers: NO_HEADERS,
  flag: 'FI',
  code: 'MESH_FAULT_ABORT',
  what: `a fault answers ${grpcStatus === undefined ? status : `with gRPC status ${grpcStatus}`}`,
  ...(grpcStatus !== undefined && { grpcStatus }),
});

const OVERLOADED: readonly string[] = ['x-envoy-overloaded', 'true'];

export const overflow = (what: string, isRetry = false): LocalReply => ({
  status: 503,
  body: resetBody('overflow', isRetry),
  headers: OVERLOADED,
  flag: 'UO',
  code: 'MESH_OVERFLOW',
  what,
});

/** Envoy Filter::checkDropOverload; `isAll`: every call is given up. */
export const dropped = (what: string, isAll: boolean): LocalReply => ({
  status: 503,
  body: isAll ? 'unconditional drop overload' : 'drop overload',
  headers: [isAll ? 'x-envoy-unconditional-drop-overload' : 'x-envoy-drop-overload', 'true'],
  flag: isAll ? 'UDO' : 'DO',
  code: 'MESH_OVERFLOW',
  what,
});

/**
 * router.cc Filter::onUpstreamReset. The transport's own reason is in Envoy's access log, not in the body (since 1.38);
 * ours is in the error and its cause.
 */
export const resetBody = (reason: string, isRetry: boolean): string =>
  `upstream connect error or disconnect/reset before headers. ${isRetry ? 'retried and the latest ' : ''}reset reason: ${reason}`;

export const redirectTo = (status: number, location: string): LocalReply => ({
  status,
  body: '',
  headers: ['location', location],
  flag: undefined,
  code: undefined,
  what: `redirected to ${location}`,
});

export const directResponse = (status: number, body: Uint8Array): LocalReply => ({
  status,
  body,
  headers: NO_HEADERS,
  flag: undefined,
  code: status >= 400 ? 'MESH_LOCAL_REPLY' : undefined,
  what: `the route answers ${status} itself`,
});

/** The same answer as an error. */
export function errorOf({ code = 'MESH_LOCAL_REPLY', ...reply }: LocalReply, story: CallStory): MeshError {
  return callError(code, reply, story);
}

type Failure = Pick<LocalReply, 'flag' | 'status' | 'what' | 'cause' | 'grpcStatus'>;

/** An error that ends a call: what happened to which target, in which cluster, and where to look. */
export function callError(code: MeshErrorCode, failure: Failure, story: CallStory): MeshError {
  const { flag, status, what, cause, grpcStatus } = failure;
  const { target, cluster } = story;
  const hint = HINTS[code];
  const error = new MeshError(code, what.includes(target) ? what : `${target}: ${what}`, {
    status,
    resource: cluster || target,
    ...(hint !== undefined && { hint }),
    ...(flag !== undefined && { flag }),
    ...(grpcStatus !== undefined && { grpcStatus }),
    ...(cause !== undefined && { cause }),
  });
  error.mesh = story;
  return error;
}

const HINTS: Partial<Record<MeshErrorCode, string>> = {
  MESH_NO_ROUTE: 'mesh.explain tells what each rule wants',
  MESH_NO_CLUSTER: 'does the configuration have this host, port and subset?',
  MESH_NOT_READY: 'is the control plane running and reachable?',
  MESH_NO_HEALTHY_UPSTREAM: 'is an instance registered, with the labels of the subset?',
  MESH_OVERFLOW: 'the connectionPool of its DestinationRule sets the limit',
  MESH_CONNECT_FAILED: 'does the instance listen there?',
  MESH_RESET: 'the log of the instance may tell why',
  MESH_TIMEOUT: "the route's timeout or the caller's own time was over",
  MESH_BLOCKED: 'name the host in a ServiceEntry, or choose the outbound policy ALLOW_ANY',
  MESH_FAULT_ABORT: 'the fault of its route says so',
  MESH_LOCAL_REPLY: 'a directResponse of the route says so',
};

const encoder = new TextEncoder();

export const bodyBytes = ({ body }: LocalReply): Uint8Array => (typeof body === 'string' ? encoder.encode(body) : body);

export const statusTextOf = (status: number): string =>
  process.getBuiltinModule('node:http').STATUS_CODES[status] ?? 'Unknown';
