import type { MeshRequest } from './request.ts';

/** Envoy's response flags as the mesh sets them. */
export type ResponseFlag =
  | 'NR'
  | 'NC'
  | 'UH'
  | 'UO'
  | 'UF'
  | 'UC'
  | 'UPE'
  | 'UR'
  | 'LR'
  | 'UT'
  | 'URX'
  | 'RL'
  | 'FI'
  | 'DC'
  | 'DI'
  | 'SI'
  | 'DF'
  | 'UAEX'
  | 'UMSDR'
  | 'OM'
  | 'DO'
  | 'UDO'
  | 'DT';

/** One attempt of a call. Times are ms on the monotonic clock, relative to the call's start. */
export interface AttemptStory {
  readonly endpoint: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly status?: number;
  /** Of a gRPC call: the status its server gave, in the head or at the end. */
  readonly grpcStatus?: number;
  readonly flag?: ResponseFlag;
  /** Why it failed, for humans: what a refused peer presented and who was expected, say (Envoy %UPSTREAM_TRANSPORT_FAILURE_REASON%). */
  readonly reason?: string;
  readonly reused: boolean;
}

/**
 * Why a call that would have been retried was not: no retries are left, too many are under way, its body is gone, or its
 * method must not be repeated.
 */
export type RetryRefusal = 'limit' | 'overflow' | 'body' | 'method';

/** What `response.mesh` and `error.mesh` tell; complete once the body has ended. */
export interface CallStory {
  readonly target: string;
  readonly route: string;
  readonly cluster: string;
  readonly endpoint: string;
  /** SPIFFE ID that the server proved; undefined: in clear, or no peer of the mesh. */
  readonly peer: string | undefined;
  /**
   * How a gRPC call ended, whoever decided it (Istio's grpc_response_status); undefined: it is none, or has not ended. A gRPC
   * request of `meshFetch` whose answer breaks off has none either.
   */
  readonly grpcStatus: number | undefined;
  readonly attempts: readonly AttemptStory[];
  /** The first of `flags`. */
  readonly flag: ResponseFlag | undefined;
  /** All that Envoy's access log would show, in no order. */
  readonly flags: readonly ResponseFlag[];
  readonly retryRefused: RetryRefusal | undefined;
  /** The mesh itself made the answer. */
  readonly local: boolean;
  /** On the monotonic clock; an attempt's are relative to `startMs`. 0 where it did not come to that. */
  readonly timings: { readonly startMs: number; readonly headersMs: number; readonly endMs: number };
}

/** Why a host is left out for a while (Envoy data.cluster.v3.OutlierEjectionType). */
export type EjectionReason =
  | 'consecutive-5xx'
  | 'consecutive-gateway-failure'
  | 'consecutive-local-origin-failure'
  | 'success-rate'
  | 'success-rate-local-origin'
  | 'failure-percentage'
  | 'failure-percentage-local-origin';

/** What ended an ejection; `configuration`: outlier detection was switched off. */
export type EjectionEnd = 'time' | 'health-check' | 'manual' | 'configuration';

/** What a connection of `mesh.connect` tells of itself: of its way while it is made, all of it when it has ended. */
export interface ConnectionStory {
  /** `host:port` as it was asked for. */
  readonly target: string;
  /** The resource whose `tcp` or `tls` route it follows; empty where none does. */
  readonly route: string;
  readonly cluster: string;
  readonly endpoint: string;
  /** SPIFFE ID that the server proved; undefined: in clear, or no peer of the mesh. */
  readonly peer: string | undefined;
  /** One for each host that was dialled. */
  readonly attempts: readonly AttemptStory[];
  /** The first of `flags`. */
  readonly flag: ResponseFlag | undefined;
  readonly flags: readonly ResponseFlag[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** On the monotonic clock; an attempt's are relative to `startMs`. 0 where it did not come to that. */
  readonly timings: { readonly startMs: number; readonly connectedMs: number; readonly endMs: number };
}

/** What of a mirror's answer was not as the caller's (CallPolicy.mirror.compare); `no-answer`: it had none. */
export type MirrorDifference = 'status' | 'json' | 'no-answer';

export type MeshEvent =
  | { readonly kind: 'call'; readonly request: MeshRequest; readonly status: number; readonly story: CallStory }
  /** A connection of `mesh.connect` has ended, or was not to be had. */
  | { readonly kind: 'connection'; readonly story: ConnectionStory }
  /** A mirrored request has its answer too. Pairs: the caller's, then the mirror's. */
  | {
      readonly kind: 'mirror-compared';
      readonly target: string;
      readonly route: string;
      readonly cluster: string;
      readonly mirror: string;
      readonly differences: readonly MirrorDifference[];
      /** Where the JSON differs: `$.stars`. At most ten. */
      readonly paths: readonly string[];
      readonly status: readonly [number, number];
      readonly latencyMs?: readonly [number, number];
    }
  | { readonly kind: 'passthrough'; readonly host: string; readonly cluster: 'PassthroughCluster' | 'BlackHoleCluster' }
  /** A host is left out. It comes back at the first check at or after `untilMs` (wall-clock time). */
  | {
      readonly kind: 'ejected';
      readonly cluster: string;
      /** `address:port` */
      readonly host: string;
      readonly reason: EjectionReason;
      readonly untilMs: number;
      /** Which ejection of this host it is, from 1. */
      readonly count: number;
    }
  | { readonly kind: 'unejected'; readonly cluster: string; readonly host: string; readonly cause: EjectionEnd }
  /** What active health checks find: a host can be used, or no longer. */
  | {
      readonly kind: 'host-health';
      readonly cluster: string;
      readonly host: string;
      readonly state: 'healthy' | 'unhealthy';
      readonly reason: string;
    }
  /** A call would have been tried again, but for this. */
  | {
      readonly kind: 'retry-refused';
      readonly target: string;
      readonly cluster: string;
      readonly reason: RetryRefusal;
    }
  /** This process's own certificate, or the roots it goes by, are others from now on. `generation` counts from 1. */
  | {
      readonly kind: 'identity-rotated';
      readonly id: string;
      readonly source: string;
      readonly changed: 'certificate' | 'roots';
      readonly generation: number;
      /** Wall-clock time. */
      readonly notAfterMs: number;
    }
  /** No new certificate could be had, or it was not to be used. What is held goes on until `notAfterMs`. */
  | { readonly kind: 'identity-failed'; readonly source: string; readonly reason: string; readonly notAfterMs?: number }
  /** The last certificate has ended: nobody can be called, and nobody served, who asks for an identity. */
  | {
      readonly kind: 'identity-expired';
      readonly id: string;
      readonly source: string;
      readonly notAfterMs: number;
      readonly reason: string;
    }
  | { readonly kind: 'xds-connected'; readonly server: string; readonly protocol: 'delta' | 'sotw' }
  | { readonly kind: 'xds-disconnected'; readonly server: string; readonly reason: string; readonly retryMs: number }
  /** Another control plane of the list is listened to from now on (gRFC A71). */
  | { readonly kind: 'xds-switched'; readonly server: string; readonly from: string }
  /** No control plane can be reached, and the snapshot on disk has it: used as it was sent at `sentMs` (wall-clock time). */
  | { readonly kind: 'xds-stale'; readonly typeUrl: string; readonly resource: string; readonly sentMs: number }
  | { readonly kind: 'xds-ack'; readonly typeUrl: string; readonly resources: readonly string[] }
  | { readonly kind: 'xds-nack'; readonly typeUrl: string; readonly errors: readonly string[] }
  | { readonly kind: 'xds-warning'; readonly typeUrl: string; readonly resource: string; readonly message: string }
  | { readonly kind: 'config-swapped'; readonly target: string; readonly reason: string }
  | { readonly kind: 'config-missing'; readonly target: string; readonly reason: string }
  /** A guarded server has closed a connection, or not taken it. */
  | {
      readonly kind: 'inbound-refused';
      readonly reason: string;
      readonly message: string;
      readonly remoteAddress?: string;
    }
  | { readonly kind: 'warning'; readonly message: string };

export type EventSink = (event: MeshEvent) => void;
