import type { JsonObject } from '@bufbuild/protobuf';
import type { FaultServerOptions } from '../../harness/fault-server.ts';

/** One rule of call policy, as data: resources, misbehaving upstreams and calls. The same is given to live Envoy and to the SDK. */
export interface PolicyCase {
  /** Unique; letters, digits and hyphens. */
  readonly name: string;
  readonly area: Area;
  /** What is shown, in one line. */
  readonly rule: string;
  /** Upstreams; one of HTTP/1.1 called `a` where absent. */
  readonly hosts?: readonly CaseHost[];
  /** Upstreams of a second cluster, `NAME-mirror`. */
  readonly mirrors?: readonly FaultServerOptions[];
  /** Fields of Envoy's Cluster beside name, endpoints and `type: STATIC`. */
  readonly cluster?: JsonObject;
  /** Fields of ClusterLoadAssignment beside its endpoints. */
  readonly assignment?: JsonObject;
  /** Fields of HttpProtocolOptions.common_http_protocol_options. */
  readonly connection?: JsonObject;
  /** Fields of Envoy's RouteAction beside `cluster`. `MIRROR` as a cluster name stands for the second one. */
  readonly route?: JsonObject;
  /** Fields of Envoy's Route beside match and action. */
  readonly routeExtra?: JsonObject;
  /** Fields of Envoy's VirtualHost. */
  readonly virtualHost?: JsonObject;
  /** Fields of Envoy's HttpConnectionManager. */
  readonly manager?: JsonObject;
  /** HTTP filters before the router: name and typed_config. */
  readonly filters?: readonly JsonObject[];
  readonly runtime?: JsonObject;
  readonly steps: readonly Step[];
  /** What is told of each call beside status, flags and attempts. */
  readonly tell?: readonly Tell[];
  /** The calls are counted instead of listed: how many had which outcome must fit a share. */
  readonly share?: Share;
  /** Lines of the outcome that depend on when things happen are not compared: only what stands in `share` and bounds. */
  readonly counters?: 'exact' | 'ignored';
  /** Why the SDK does otherwise, on purpose; it must indeed. */
  readonly differs?: string;
}

export type Area =
  | 'retries'
  | 'retry limits'
  | 'back-off'
  | 'timeouts'
  | 'circuit breakers'
  | 'outlier detection'
  | 'health checks'
  | 'faults'
  | 'mirrors'
  | 'affinity'
  | 'connections'
  | 'gRPC';

export interface CaseHost extends FaultServerOptions {
  readonly priority?: number;
}

/** `hosts`: the hosts reached, in order; `distinct`: how many different ones; `same-host`: whether it is that of the call before. */
export type Tell = 'hosts' | 'distinct' | 'same-host' | 'connections' | 'upstream-headers' | 'body-bytes';

export interface Share {
  /** How many of all calls have this status or a copy, or how many of all hosts are ejected in the end. */
  readonly of: { readonly status: number } | { readonly mirrored: true } | { readonly ejected: true };
  readonly is: number;
}

/** A call; repeated one after the other, or all at once. */
export interface Ask {
  readonly script?: string;
  /** By name of host. */
  readonly scripts?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bodyBytes?: number;
  /** The body comes in pieces, its length is not told. */
  readonly streamed?: boolean;
  /** How long a streamed body takes. */
  readonly bodyMs?: number;
  /** Sends back the cookie or the `x-session` that the last answer brought. */
  readonly returnsSession?: boolean;
  readonly times?: number;
  /** At most so many at a time; 1 where absent. */
  readonly atOnce?: number;
  /** Not told of: whom it reaches is chance. */
  readonly quiet?: boolean;
  /** All hosts that these calls reach are told, in one line. */
  readonly tellsReached?: boolean;
  /** Goes on while the next step begins. */
  readonly background?: boolean;
  /** The caller gives up. */
  readonly abortAfterMs?: number;
  readonly upgrade?: string;
  /** The SDK's dispatcher is asked, which tells of trailers; fetch does not. */
  readonly dispatcher?: boolean;
  /** Bounds of the whole call, ms. */
  readonly lastsMs?: readonly [least: number, most: number];
  /** Bounds of the time between arrivals of one call, ms: one for each gap; the last goes on. */
  readonly gapsMs?: readonly (readonly [least: number, most: number])[];
}

/** `until`: no host is ejected; at most 5 s. */
export type Step = Ask | { readonly waitMs: number } | { readonly see: 'ejected' } | { readonly until: 'none ejected' };

/** What came back of one call and what is known of it. */
export interface Answer {
  /** 0 where there was none. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body broke off, or the call failed. */
  readonly broken: boolean;
  readonly ms: number;
}

/** What the data plane itself tells of a call. */
export interface CallReport {
  readonly flags: readonly string[];
  readonly tries: number;
  readonly details?: string;
}

/** Envoy or the SDK, set up for one case. */
export interface DataPlane {
  call(id: string, ask: Ask): Promise<Answer>;
  reports(ids: readonly string[]): Promise<ReadonlyMap<string, CallReport>>;
  /** Ports of hosts that are ejected now. */
  ejected(): Promise<readonly number[]>;
  counters(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** Envoy takes x-envoy-* headers from addresses that are called internal alone; none is by default. */
export const TRUSTED: JsonObject = {
  use_remote_address: true,
  internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] },
};

/** Why a case without `TRUSTED` differs. */
export const FROM_INSIDE = 'What the application asks for comes from inside: it is the process itself that asks.';

/** A host whose connections are used once: a reset is never that of a reused connection, which the SDK repeats by itself. */
export const FRESH: readonly CaseHost[] = [{ name: 'a', announcesClose: true }];

export const clusterOf = ({ name }: PolicyCase): string => name;
export const mirrorOf = ({ name }: PolicyCase): string => `${name}-mirror`;
export const hostsOf = ({ hosts }: PolicyCase): readonly CaseHost[] => hosts ?? [{ name: 'a' }];
