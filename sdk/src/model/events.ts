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
  | 'DT';

/** One attempt of a call. Times are ms on the monotonic clock, relative to the call's start. */
export interface AttemptStory {
  readonly endpoint: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly status?: number;
  readonly flag?: ResponseFlag;
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

export type MeshEvent =
  | { readonly kind: 'call'; readonly request: MeshRequest; readonly status: number; readonly story: CallStory }
  | { readonly kind: 'passthrough'; readonly host: string; readonly cluster: 'PassthroughCluster' | 'BlackHoleCluster' }
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
  | { readonly kind: 'warning'; readonly message: string };

export type EventSink = (event: MeshEvent) => void;
