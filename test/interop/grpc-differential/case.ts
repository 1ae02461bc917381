import type { JsonObject } from '@bufbuild/protobuf';

/** One rule of proxyless gRPC, as data: what a control plane serves, hosts, and calls. Every client is given the same. */
export interface GrpcCase extends Served {
  /** Unique; letters, digits and hyphens. */
  readonly name: string;
  readonly area: Area;
  /** What is shown, in one line. */
  readonly rule: string;
  /** `a` and `b` where absent; each has a cluster of its name. */
  readonly hosts?: readonly (string | CaseHost)[];
  readonly steps: readonly Step[];
  /** The channel takes certificates from the control plane's TLS contexts. */
  readonly tls?: boolean;
  /** Fields of the bootstrap's only server. */
  readonly server?: JsonObject;
  /** Fields of the bootstrap. */
  readonly bootstrap?: JsonObject;
  /** Target of the channel; `xds:///svc.test:80` where absent. */
  readonly target?: string;
  /** Name of the Listener, where it is not the target. */
  readonly listenerName?: string;
  /** Whose loads the control plane asks for; all where absent. */
  readonly loadsOf?: readonly string[];
  /** grpc-js-xds has been seen to die of it: it is given a process of its own. */
  readonly killsNode?: boolean;
  /** Which types a client refuses is no part of the outcome. */
  readonly ignoresNacks?: boolean;
  /** The same matching is asked of meshFetch, which must reach the same hosts. */
  readonly fetch?: boolean;
  /** Why our gRPC path does otherwise than grpc-go and grpcio, on purpose; it must indeed. */
  readonly differs?: string;
  /** What our gRPC path lacks, for which it does otherwise. */
  readonly notYet?: string;
}

export type Area =
  | 'matching'
  | 'weights'
  | 'retries'
  | 'timeouts'
  | 'balancing'
  | 'hashing'
  | 'outlier detection'
  | 'circuit breaking'
  | 'faults'
  | 'lifecycle'
  | 'validation'
  | 'TLS'
  | 'clusters';

export interface CaseHost {
  readonly name: string;
  /** Nobody listens there. */
  readonly refuses?: boolean;
  /** A fixed address: what is hashed over it can be written down. */
  readonly at?: string;
  /** It takes mutual TLS as this account. */
  readonly account?: string;
}

/** What the control plane serves. Replaced key by key by a step. */
export interface Served {
  /** Fields of the Listener. */
  readonly listener?: JsonObject;
  /** Fields of its HttpConnectionManager. */
  readonly manager?: JsonObject;
  /** HTTP filters before the router. */
  readonly filters?: readonly JsonObject[];
  /** All HTTP filters. */
  readonly allFilters?: readonly JsonObject[];
  /** Fields of the RouteConfiguration. */
  readonly routeConfig?: JsonObject;
  /** Fields of the virtual host. */
  readonly virtualHost?: JsonObject;
  /** All to `a` where absent. */
  readonly routes?: readonly JsonObject[];
  /** By name, beside those of the hosts, or in place of them. */
  readonly clusters?: Readonly<Record<string, CaseCluster>>;
  /** Resources that are left out or changed in the end. */
  readonly alter?: (resources: readonly JsonObject[]) => readonly JsonObject[];
}

export interface CaseCluster {
  /** Fields of the Cluster. */
  readonly fields?: JsonObject;
  readonly localities?: readonly CaseLocality[];
  /** One locality of weight 1. */
  readonly hosts?: readonly (string | CaseEndpoint)[];
  /** Fields of the ClusterLoadAssignment. */
  readonly assignment?: JsonObject;
  /** LOGICAL_DNS of a host of the case by another address. */
  readonly dns?: { readonly host: string; readonly address: string };
}

export interface CaseLocality {
  readonly hosts: readonly (string | CaseEndpoint)[];
  /** 1 where absent; null: none is said. */
  readonly weight?: number | null;
  readonly priority?: number;
  readonly region?: string;
}

export interface CaseEndpoint {
  readonly host: string;
  readonly weight?: number;
  readonly health?: string;
  readonly metadata?: JsonObject;
}

/** `sent`: what the host saw of these metadata; `deadline`: whether it was told of one; `distinct`: how many hosts were reached by all the calls of the step. */
export interface Ask {
  readonly path?: string;
  readonly metadata?: readonly (readonly [string, string])[];
  /** What hosts do at each attempt of a call: `ok`, a code, `head-CODE`, `slow-MS`, `refuse`, `reset-CODE`; `;pushback=MS`. */
  readonly script?: string;
  /** By name of host. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** The caller's deadline; 15 s where absent. */
  readonly timeoutMs?: number;
  readonly waitForReady?: boolean;
  readonly times?: number;
  readonly atOnce?: number;
  readonly tell?: readonly ('sent' | 'distinct' | 'attempts' | 'deadline')[];
  /** Names for `sent`. */
  readonly sent?: readonly string[];
  /** Not told of. */
  readonly quiet?: boolean;
  /** How many of the calls reach a host, in the share of all, within what chance does once in a million runs. */
  readonly share?: Readonly<Record<string, number>>;
  /** Bounds of the whole call, ms. */
  readonly lastsMs?: readonly [least: number, most: number];
  /** Goes on while the next step begins. */
  readonly background?: boolean;
  /** Calls are made until one has this outcome; told is whether one had, within 15 s. */
  readonly until?: string;
}

export type Step =
  | Ask
  | { readonly serve: Served }
  /** Serves again what the case began with. */
  | { readonly restore: true }
  | { readonly waitMs: number }
  /** The control plane ends the stream; waits until there is another. */
  | { readonly drop: true }
  /** Load reports of all clusters added up, when there were so many calls. */
  | { readonly loads: number };

export const TARGET = 'svc.test:80';
export const hostsOf = (one: GrpcCase): readonly CaseHost[] =>
  (one.hosts ?? ['a', 'b']).map((host) => (typeof host === 'string' ? { name: host } : host));
