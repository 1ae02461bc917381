/**
 * networking.istio.io VirtualService as istio.io/api v1 gives it in JSON. Everywhere in `spec/`: durations are ms,
 * repeated fields are always there (empty when not written), maps are Maps, an absent message is undefined (Istio tells
 * `ringHash: {}` from none), and a scalar is undefined unless its table gives a default.
 */

/** At most one is set. None: any value, the header or parameter has only to be there. */
export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  /** RE2, whole string. */
  readonly regex?: string;
}

export interface VirtualServiceSpec {
  /** Empty only for a delegate. Short, FQDN, `*.suffix`, `*` or an IP address. */
  readonly hosts: readonly string[];
  /** Empty = [`mesh`]. */
  readonly gateways: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
  /** `.`, `*`, `~` or namespaces; empty = public. */
  readonly exportTo: readonly string[];
}

export interface HttpRoute {
  readonly name?: string;
  /** OR between entries; empty = everything. */
  readonly match: readonly HttpMatch[];
  /** Exactly one of route (not empty), redirect, directResponse and delegate (a delegate may add nothing else of them). */
  readonly route: readonly HttpDestination[];
  readonly redirect?: HttpRedirect;
  readonly directResponse?: HttpDirectResponse;
  readonly delegate?: Delegate;
  readonly rewrite?: HttpRewrite;
  /** ms; undefined or 0 = none. */
  readonly timeout?: number;
  readonly retries?: HttpRetry;
  readonly fault?: HttpFault;
  readonly mirror?: Destination;
  readonly mirrors: readonly HttpMirror[];
  /** Deprecated spelling of mirrorPercentage, a whole number. */
  readonly mirrorPercent?: number;
  readonly mirrorPercentage?: Percent;
  readonly corsPolicy?: CorsPolicy;
  readonly headers?: HeaderRules;
}

/** AND between fields. */
export interface HttpMatch {
  readonly name?: string;
  readonly uri?: StringMatch;
  readonly scheme?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  /** Names as written: Istio asks for lower case. */
  readonly headers: ReadonlyMap<string, StringMatch>;
  readonly port?: number;
  readonly sourceLabels: ReadonlyMap<string, string>;
  readonly gateways: readonly string[];
  readonly queryParams: ReadonlyMap<string, StringMatch>;
  readonly ignoreUriCase: boolean;
  readonly withoutHeaders: ReadonlyMap<string, StringMatch>;
  readonly sourceNamespace?: string;
  readonly statPrefix?: string;
}

export interface Destination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number: number };
}

export interface HttpDestination {
  readonly destination: Destination;
  /** undefined and 0 mean the same unless it is the only destination (Istio): then it gets everything. */
  readonly weight?: number;
  readonly headers?: HeaderRules;
}

export interface HeaderRules {
  readonly request?: HeaderOperations;
  readonly response?: HeaderOperations;
}

export interface HeaderOperations {
  readonly set: ReadonlyMap<string, string>;
  readonly add: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

export interface HttpRedirect {
  readonly uri?: string;
  readonly authority?: string;
  readonly port?: number;
  readonly derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
  readonly scheme?: string;
  /** 301 where none is written. */
  readonly redirectCode: 301 | 302 | 303 | 307 | 308;
}

export interface HttpDirectResponse {
  readonly status: number;
  /** `bytes` is decoded from base64. */
  readonly body?: { readonly string?: string; readonly bytes?: Uint8Array };
}

export interface Delegate {
  readonly name: string;
  readonly namespace?: string;
}

export interface HttpRewrite {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match: string; readonly rewrite: string };
}

export interface HttpRetry {
  /** Retries after the first call; undefined where only other fields are written. */
  readonly attempts?: number;
  readonly perTryTimeout?: number;
  /** Comma separated Envoy conditions and status codes, as written. */
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly backoff?: number;
}

/** 0.0 – 100.0. */
export interface Percent {
  readonly value: number;
}

export interface HttpFault {
  readonly delay?: {
    /** Deprecated, whole number. */
    readonly percent?: number;
    readonly percentage?: Percent;
    readonly fixedDelay?: number;
    readonly exponentialDelay?: number;
  };
  readonly abort?: {
    readonly percentage?: Percent;
    readonly httpStatus?: number;
    /** Name (`UNAVAILABLE`) or number, as written. */
    readonly grpcStatus?: string;
    readonly http2Error?: string;
  };
}

export interface HttpMirror {
  readonly destination: Destination;
  readonly percentage?: Percent;
}

export interface CorsPolicy {
  /** Deprecated: exact origins. */
  readonly allowOrigin: readonly string[];
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAge?: number;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
}

export interface RouteDestination {
  readonly destination: Destination;
  readonly weight?: number;
}

export interface TlsRoute {
  readonly match: readonly {
    readonly sniHosts: readonly string[];
    readonly destinationSubnets: readonly string[];
    readonly port?: number;
    readonly sourceLabels: ReadonlyMap<string, string>;
    readonly gateways: readonly string[];
    readonly sourceNamespace?: string;
  }[];
  readonly route: readonly RouteDestination[];
}

export interface TcpRoute {
  readonly match: readonly {
    readonly destinationSubnets: readonly string[];
    readonly port?: number;
    readonly sourceLabels: ReadonlyMap<string, string>;
    readonly gateways: readonly string[];
    readonly sourceNamespace?: string;
    readonly sourceSubnet?: string;
  }[];
  readonly route: readonly RouteDestination[];
}
