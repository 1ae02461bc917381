import type { HealthCheck } from './health-check.ts';
import type { Fraction } from './match.ts';
import type { TransportMatch, UpstreamTls } from './tls.ts';

/** Envoy Cluster, decoded: everything about reaching one upstream. */

export type HashFunction = 'xx-hash' | 'murmur-hash-2';

/** Envoy SlowStartConfig: how the weight of a new host grows. */
export interface SlowStart {
  readonly windowMs: number;
  /** > 0; the weight grows with time ^ (1 / aggression). */
  readonly aggression: number;
  readonly minWeightPercent: number;
}

/** Envoy ClientSideWeightedRoundRobin (gRFC A58): in turn, each host as often as what it reports of its load lets it. */
export interface LoadWeighted {
  readonly kind: 'load-weighted';
  /** Reports come on a stream of their own, this often; absent: with the answers. */
  readonly outOfBandMs?: number;
  /** A host counts by its reports once they have come for so long. */
  readonly blackoutMs: number;
  /** A report counts for so long. */
  readonly expirationMs: number;
  /** Between two reckonings of the weights. */
  readonly updateMs: number;
  /** Of a server's share of errors, added to its utilisation. */
  readonly errorPenalty: number;
  /** What stands for its utilisation where it has none of its application's: `named_metrics.x`, `utilization.*`, … */
  readonly metricNames: readonly string[];
  readonly slowStart?: SlowStart;
}

export type LoadBalancer =
  | { readonly kind: 'round-robin'; readonly slowStart?: SlowStart }
  | {
      readonly kind: 'least-request';
      readonly choiceCount: number;
      /** All hosts are compared, not `choiceCount` random ones. */
      readonly fullScan?: boolean;
      /** 1 where absent. */
      readonly activeRequestBias?: number;
      readonly slowStart?: SlowStart;
    }
  | { readonly kind: 'random' }
  /** One host, the first that can be connected to (gRFC A62). */
  | { readonly kind: 'pick-first'; readonly shuffles: boolean }
  | LoadWeighted
  | {
      readonly kind: 'ring-hash';
      readonly minimumRingSize: number;
      readonly maximumRingSize: number;
      readonly hashFunction: HashFunction;
      readonly useHostname: boolean;
      /** Percent of its share of the requests that a host gets at most; unbounded where absent. */
      readonly balanceFactor?: number;
    }
  | {
      readonly kind: 'maglev';
      readonly tableSize: number;
      readonly useHostname: boolean;
      readonly balanceFactor?: number;
    };

/** Envoy OutlierDetection. Times in ms, `enforcing…` in percent. */
export interface OutlierDetection {
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
  readonly consecutive5xx: number;
  readonly enforcingConsecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly enforcingConsecutiveGatewayFailure: number;
  readonly consecutiveLocalOriginFailure: number;
  readonly enforcingConsecutiveLocalOriginFailure: number;
  readonly splitExternalLocalOriginErrors: boolean;
  readonly successRate: {
    readonly minimumHosts: number;
    readonly requestVolume: number;
    /** Thousandths of a standard deviation. */
    readonly stdevFactor: number;
    readonly enforcing: number;
    readonly enforcingLocalOrigin: number;
  };
  readonly failurePercentage: {
    readonly threshold: number;
    readonly minimumHosts: number;
    readonly requestVolume: number;
    readonly enforcing: number;
    readonly enforcingLocalOrigin: number;
  };
  readonly maxEjectionTimeJitterMs: number;
  /** A successful active health check ends an ejection. */
  readonly unejectOnHealthCheck: boolean;
  /** One host may always be ejected, whatever the percentage. */
  readonly alwaysEjectOneHost: boolean;
}

/** Envoy CircuitBreakers.Thresholds of one priority; undefined = unlimited (Istio's 4294967295). */
export interface CircuitBreaker {
  readonly maxConnections?: number;
  readonly maxPendingRequests?: number;
  readonly maxRequests?: number;
  readonly maxRetries?: number;
  /** Envoy CircuitBreakers.per_host_thresholds: connections to one host. */
  readonly maxConnectionsPerHost?: number;
  /** Replaces `maxRetries`. */
  readonly retryBudget?: RetryBudget;
}

/** Envoy CircuitBreakers.Thresholds.RetryBudget. */
export interface RetryBudget {
  /** Of the requests under way that may be retries. */
  readonly percent: number;
  /** Retries at a time that are always allowed. */
  readonly minConcurrency: number;
}

/** Envoy TcpKeepalive; the operating system's own where absent. */
export interface TcpKeepAlive {
  readonly probes?: number;
  readonly timeMs?: number;
  readonly intervalMs?: number;
}

/** Envoy Http2ProtocolOptions, what a client asks for. */
export interface Http2Options {
  readonly maxConcurrentStreams?: number;
  readonly initialStreamWindowSize?: number;
  readonly initialConnectionWindowSize?: number;
  readonly headerTableSize?: number;
  /** PING after this silence; closed when it is not answered in time. */
  readonly keepAlive?: {
    readonly intervalMs?: number;
    readonly timeoutMs: number;
    /** Percent of the interval, drawn and added. */
    readonly jitterPercent: number;
    readonly idleIntervalMs?: number;
  };
}

/** Envoy DnsLookupFamily. */
export type DnsFamily = 'auto' | 'v4-only' | 'v6-only' | 'v4-preferred' | 'all';

/** How the names of a DNS cluster are asked. */
export interface DnsOptions {
  readonly refreshRateMs: number;
  /** After a failure: drawn from the base, doubled up to the maximum; `refreshRateMs` where absent. */
  readonly failureRefresh?: { readonly baseMs: number; readonly maxMs: number };
  readonly respectTtl: boolean;
  readonly jitterMs: number;
  readonly family: DnsFamily;
}

export type Discovery =
  | { readonly kind: 'eds'; readonly serviceName: string }
  /** Endpoints come inside the cluster (STATIC). */
  | { readonly kind: 'static'; readonly assignment: LoadAssignment }
  /** Host names. STRICT_DNS: each address is a host; `logical` (LOGICAL_DNS): the name is one host, at its latest address. */
  | {
      readonly kind: 'dns';
      readonly assignment: LoadAssignment;
      readonly logical?: true;
      readonly options: DnsOptions;
    }
  /** The address the caller asked for (ORIGINAL_DST). */
  | { readonly kind: 'original-dst' }
  /** Other clusters, the first one first; each of them may be such a one itself (Envoy envoy.clusters.aggregate, gRFC A37). */
  | { readonly kind: 'aggregate'; readonly clusters: readonly string[] };

export interface Cluster {
  readonly name: string;
  readonly discovery: Discovery;
  readonly connectTimeoutMs: number;
  readonly loadBalancer: LoadBalancer;
  /** Envoy CommonLbConfig.healthy_panic_threshold in percent; 0 = off (Istio's default). */
  readonly panicThreshold: number;
  readonly localityWeighted: boolean;
  /** Envoy CommonLbConfig.override_host_status: what the host of a session may be; unknown, healthy, degraded where absent. */
  readonly overrideHostStatus?: readonly Health[];
  /** Envoy ZoneAwareLbConfig.fail_traffic_on_panic: a priority that panics has nobody instead of everybody. */
  readonly failTrafficOnPanic?: boolean;
  readonly outlierDetection?: OutlierDetection;
  /** Of its calls the control plane it came from is told (Envoy Cluster.lrs_server: self). */
  readonly reportsLoads?: true;
  readonly circuitBreakers: { readonly default: CircuitBreaker; readonly high: CircuitBreaker };
  /** Envoy Cluster.health_checks: none where absent. */
  readonly healthChecks?: readonly HealthCheck[];
  readonly http2: boolean;
  /** HTTP/2 where TLS agrees on it (Envoy auto_config). */
  readonly http2IfOffered?: true;
  readonly http2Options?: Http2Options;
  /** Longest a request and its answer may take on one connection. */
  readonly maxStreamDurationMs?: number;
  readonly tcpKeepAlive?: TcpKeepAlive;
  readonly maxRequestsPerConnection?: number;
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
  /** Of every endpoint that none of `transportMatches` is for. */
  readonly tls?: UpstreamTls;
  /** The first that fits an endpoint decides: TLS or plain text (Envoy Cluster.transport_socket_matches). */
  readonly transportMatches?: readonly TransportMatch[];
  /** `filter_metadata.istio`: service hosts behind this cluster and the DestinationRule it came from. */
  readonly serviceHost?: string;
  /** `namespace/name` of the CallPolicy resources that had a part in it. */
  readonly callPolicies?: readonly string[];
  readonly configPath?: string;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export type Health = 'unknown' | 'healthy' | 'degraded' | 'unhealthy' | 'draining' | 'timeout';

export interface Endpoint {
  /** IP literal, host name (DNS clusters) or `unix:PATH`. IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  readonly health: Health;
  /** Load-balancing weight, ≥ 1. */
  readonly weight: number;
  readonly hostname?: string;
  /** What `address` stands for where it is a name: each connection goes to the first of them that answers. */
  readonly addresses?: readonly string[];
  /** `envoy.lb` hash_key metadata (gRFC A76). */
  readonly hashKey?: string;
  /** `istio.workload` metadata: `name;ns;app;version;cluster`. */
  readonly workload?: string;
  /** `envoy.transport_socket_match` metadata: which of the cluster's transports is for it. */
  readonly transportMatch?: ReadonlyMap<string, string>;
}

export interface LocalityEndpoints {
  readonly locality: Locality;
  readonly priority: number;
  /** Locality weight; 0 = the locality gets nothing when locality weighting is on. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
}

/** Envoy ClusterLoadAssignment. */
export interface LoadAssignment {
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpoints[];
  /** Percent; Envoy default 140. */
  readonly overprovisioningFactor: number;
  /** The health of a priority is that of its weights, not of its number of endpoints. */
  readonly weightedPriorityHealth?: boolean;
  /** Envoy Policy.drop_overloads: calls that are given up before a host is chosen, a draw for each. */
  readonly drops?: readonly { readonly category: string; readonly fraction: Fraction }[];
}
