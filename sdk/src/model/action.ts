import type { HeaderMutation } from './headers.ts';
import type { Fraction } from './match.ts';

/** One destination of a weighted split. `name` is the cluster's name. */
export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  /** Envoy ClusterWeight.cluster_header: the cluster's name is the first value of this header; `name` is empty then. */
  readonly clusterHeader?: string;
  readonly hostRewrite?: string;
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
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
      readonly terminal: boolean;
    }
  | { readonly kind: 'query-parameter'; readonly name: string; readonly terminal: boolean }
  | { readonly kind: 'source-ip'; readonly terminal: boolean };

export interface RegexRewrite {
  readonly pattern: string;
  /** RE2 substitution: `\1` is the first group. */
  readonly substitution: string;
}

/** Envoy RetryPolicy as sent. */
export interface RetryPolicy {
  readonly on: readonly string[];
  readonly retriableStatusCodes: readonly number[];
  /** Retries after the first call. */
  readonly numRetries: number;
  readonly perTryTimeoutMs?: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly previousHosts: boolean;
  readonly hostSelectionAttempts: number;
}

export interface MirrorPolicy {
  readonly cluster: string;
  readonly fraction: Fraction;
  readonly shadowSuffix: boolean;
}

/** Envoy HTTPFault. */
export interface FaultPolicy {
  readonly delay?: { readonly ms: number; readonly fraction: Fraction };
  readonly abort?: { readonly httpStatus?: number; readonly grpcStatus?: number; readonly fraction: Fraction };
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
  readonly hashPolicies: readonly HashPolicy[];
  readonly pathRewrite?: PathRewrite;
  readonly hostRewrite?: string;
  /** Envoy RouteAction.host_rewrite_header, host_rewrite_path_regex and host_rewrite. */
  readonly hostRewriteFrom?: HostRewrite;
  readonly appendXForwardedHost: boolean;
  readonly mirrors: readonly MirrorPolicy[];
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
}

/** An action this client cannot perform (non_forwarding_action, an unknown one): the call fails, the rest of the table works. */
export interface RefuseAction {
  readonly kind: 'refuse';
  readonly reason: string;
}

export type Action = ForwardAction | RedirectAction | RespondAction | RefuseAction;
