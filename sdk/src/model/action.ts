import type { HeaderMutation } from './headers.ts';
import type { Fraction, HeaderMatch } from './match.ts';

/** One destination of a weighted split. `name` is the cluster's name. */
export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  /** Envoy ClusterWeight.cluster_header: the cluster's name is the first value of this header; `name` is empty then. */
  readonly clusterHeader?: string;
  readonly hostRewrite?: string;
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  /** Envoy ClusterWeight.typed_per_filter_config: in the place of the route's. */
  readonly fault?: FaultPolicy;
  readonly statefulSession?: StatefulSession;
}

/** Envoy RouteAction.hash_policy, in order; combined as `rotl1(hash) ^ next`; a terminal one ends the list once a hash exists. */
export type HashPolicy =
  | { readonly kind: 'header'; readonly name: string; readonly regexRewrite?: RegexRewrite; readonly terminal: boolean }
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly path: string;
      /** Set (0 = session cookie) when a missing cookie is to be generated. */
      readonly ttlMs?: number;
      /** Of the generated cookie beside path and Max-Age, as written; an empty value stands for a bare name. */
      readonly attributes?: readonly { readonly name: string; readonly value: string }[];
      readonly terminal: boolean;
    }
  | { readonly kind: 'query-parameter'; readonly name: string; readonly terminal: boolean }
  | { readonly kind: 'source-ip'; readonly terminal: boolean }
  /** gRFC A42, filter state `io.grpc.channel_id`: the same for all calls of a gRPC channel; of other calls there is none. */
  | { readonly kind: 'channel'; readonly terminal: boolean };

export interface RegexRewrite {
  readonly pattern: string;
  /** RE2 substitution: `\1` is the first group. */
  readonly substitution: string;
}

/** Envoy RetryPolicy as sent. */
export interface RetryPolicy {
  readonly on: readonly string[];
  readonly retriableStatusCodes: readonly number[];
  /** An answer with one of them is retried (`retriable-headers`). */
  readonly retriableHeaders?: readonly HeaderMatch[];
  /** Only requests with one of them are retried; all where empty. */
  readonly retriableRequestHeaders?: readonly HeaderMatch[];
  /** Retries after the first call. */
  readonly numRetries: number;
  readonly perTryTimeoutMs?: number;
  /** Longest silence of one try. */
  readonly perTryIdleTimeoutMs?: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly rateLimitedBackOff?: RateLimitedBackOff;
  readonly previousHosts: boolean;
  /** Envoy PreviousPrioritiesConfig: priorities tried are left out, begun anew after this many. */
  readonly previousPriorities?: { readonly updateFrequency: number };
  /** Envoy RouteAction's cluster is chosen anew for each retry of a weighted split. */
  readonly repickCluster?: boolean;
  readonly hostSelectionAttempts: number;
}

/** Envoy RetryPolicy.RateLimitedRetryBackOff: the answer itself says when to come back. */
export interface RateLimitedBackOff {
  /** The first that the answer has counts. */
  readonly headers: readonly { readonly name: string; readonly format: 'seconds' | 'unix-timestamp' }[];
  readonly maxIntervalMs: number;
}

/** A second attempt while the first goes on; only what may be sent twice is hedged. */
export interface HedgePolicy {
  /** Envoy HedgePolicy.hedge_on_per_try_timeout: the try that is late goes on beside the next. */
  readonly onPerTryTimeout: boolean;
  /** Begun this long after the attempt before it; `p95`: the cluster's own, as measured. */
  readonly delay?: number | 'p95';
  /** Hedges at most; 1 where absent. */
  readonly maxHedges?: number;
}

export interface MirrorPolicy {
  /** Empty where `clusterHeader` says which. */
  readonly cluster: string;
  /** Envoy RequestMirrorPolicy.cluster_header: the copy goes to the cluster this header names. */
  readonly clusterHeader?: string;
  readonly fraction: Fraction;
  readonly shadowSuffix: boolean;
  /** Envoy RequestMirrorPolicy.host_rewrite_literal; replaces the host with its suffix. */
  readonly hostRewrite?: string;
}

/** What of a mirrored answer is compared with the caller's (CallPolicy.mirror.compare). */
export interface MirrorComparison {
  readonly status: boolean;
  readonly json: boolean;
  readonly latency: boolean;
}

/** Envoy StatefulSession: the host that answered first answers again, wherever balancing would lead. */
export type StatefulSession = (
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly path: string;
      /** Absent or 0: a session cookie. */
      readonly ttlMs?: number;
    }
  | { readonly kind: 'header'; readonly name: string }
  /** Switched off where the level above has one. */
  | { readonly kind: 'none' }
) & {
  /** A host that is gone makes the call fail (503 UH) instead of being balanced anew. */
  readonly strict: boolean;
};

/** Envoy HTTPFault. */
export interface FaultPolicy {
  /** `fromHeader`: the request's `x-envoy-fault-delay-request` says how long. */
  readonly delay?: { readonly ms: number; readonly fraction: Fraction; readonly fromHeader?: boolean };
  /** `fromHeader`: `x-envoy-fault-abort-request` or `x-envoy-fault-abort-grpc-request` says what. */
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: number;
    readonly fraction: Fraction;
    readonly fromHeader?: boolean;
  };
  /** Only requests with all of them. */
  readonly headers?: readonly HeaderMatch[];
  /** Only requests to this cluster. */
  readonly upstreamCluster?: string;
  /** Faults under way at a time; unlimited where absent. */
  readonly maxActive?: number;
  /** `call`: drawn once, an abort ends the call. `attempt`: drawn for each attempt. `call` where absent. */
  readonly scope?: 'call' | 'attempt';
  /** The name of its filter, by which a route's configuration replaces it. */
  readonly filter?: string;
  /** The fault of the next such filter: acts when this one lets the request go on. */
  readonly next?: FaultPolicy;
}

export interface PathRewrite {
  readonly prefix?: string;
  readonly regex?: RegexRewrite;
  /** Envoy UriTemplateRewriteConfig; only beside a template match. */
  readonly template?: string;
  /** Envoy RouteAction.path_rewrite: a format of the whole path. */
  readonly format?: string;
}

/** Where a new host is taken from. */
export type HostRewrite =
  | { readonly kind: 'header'; readonly name: string }
  /** Applied to the path without its query. */
  | { readonly kind: 'path-regex'; readonly regex: RegexRewrite }
  | { readonly kind: 'format'; readonly format: string };

export interface ForwardAction {
  readonly kind: 'forward';
  /** Exactly one of `clusters` (one or more) and `clusterHeader` decides. */
  readonly clusters: readonly WeightedCluster[];
  readonly clusterHeader?: string;
  /** Envoy WeightedCluster: where the number comes from that chooses among several clusters; chance where it says nothing. */
  readonly splitBy?: { readonly kind: 'header'; readonly name: string } | { readonly kind: 'hash-policies' };
  /** Envoy WeightedCluster.runtime_key_prefix. */
  readonly runtimeKeyPrefix?: string;
  /** Envoy RouteAction.cluster_not_found_response_code, 503 where absent. */
  readonly clusterNotFoundStatus?: number;
  /** Whole call, in ms; undefined or 0 = none. Envoy RouteAction.timeout (its 15 s default is applied when decoding). */
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly maxStreamDurationMs?: number;
  readonly retry?: RetryPolicy;
  readonly hedge?: HedgePolicy;
  /** Of a body kept so that it can be sent again, bytes. Envoy Route.per_request_buffer_limit_bytes. */
  readonly bodyBufferBytes?: number;
  /** Envoy RouteAction.max_stream_duration.grpc_timeout_header_max; 0: whatever the header says. */
  readonly grpcTimeoutMaxMs?: number;
  /** Envoy RouteAction.max_stream_duration.grpc_timeout_header_offset: taken off what the header says. */
  readonly grpcTimeoutOffsetMs?: number;
  /** Requests that are not idempotent are retried too, and hedged (CallPolicy.retryNonIdempotent). */
  readonly retryNonIdempotent?: true;
  readonly statefulSession?: StatefulSession;
  /** `namespace/name` of the CallPolicy resources that had a part in it. */
  readonly callPolicies?: readonly string[];
  readonly hashPolicies: readonly HashPolicy[];
  readonly pathRewrite?: PathRewrite;
  readonly hostRewrite?: string;
  /** Envoy RouteAction.host_rewrite_header, host_rewrite_path_regex and host_rewrite. */
  readonly hostRewriteFrom?: HostRewrite;
  /** Envoy RouteAction.auto_host_rewrite: the host name of the endpoint picked, where it has one. */
  readonly autoHostRewrite?: true;
  readonly appendXForwardedHost: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  readonly mirrorComparison?: MirrorComparison;
  readonly fault?: FaultPolicy;
  readonly priority: 'default' | 'high';
}

/** Envoy RedirectAction. */
export interface RedirectAction {
  readonly kind: 'redirect';
  readonly code: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: string;
  readonly host?: string;
  /** undefined keeps the request's port unless the scheme changes it (Envoy drops 80/443). */
  readonly port?: number;
  readonly path?: string;
  readonly prefix?: string;
  readonly regex?: RegexRewrite;
  /** Envoy RedirectAction.path_rewrite: a format of the whole path. */
  readonly format?: string;
  readonly stripQuery: boolean;
  /** The redirect of a virtual host that wants TLS: authority and path stay as they are (Envoy createSslRedirectPath). */
  readonly forTls?: true;
}

/** Envoy DirectResponseAction. */
export interface RespondAction {
  readonly kind: 'respond';
  readonly status: number;
  readonly body: Uint8Array;
  /** Envoy DirectResponseAction.body_format: the body is made from it; `body` is its `%LOCAL_REPLY_BODY%`. */
  readonly format?: BodyFormat;
}

/** Envoy SubstitutionFormatString. */
export interface BodyFormat {
  readonly template:
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'json'; readonly value: unknown };
  /** An absent value leaves nothing, not a dash or null. */
  readonly omitEmpty: boolean;
  readonly contentType?: string;
}

/** An action this client cannot perform (non_forwarding_action, an unknown one): the call fails, the rest of the table works. */
export interface RefuseAction {
  readonly kind: 'refuse';
  readonly reason: string;
  /** Envoy NonForwardingAction: at a server the request stays where it is (gRFC A36), with the faults of its route. */
  readonly stays?: { readonly fault?: FaultPolicy };
}

export type Action = ForwardAction | RedirectAction | RespondAction | RefuseAction;
