/** Envoy Cluster, decoded: everything about reaching one upstream. */

export type HashFunction = 'xx-hash' | 'murmur-hash-2';

/** Envoy SlowStartConfig: how the weight of a new host grows. */
export interface SlowStart {
  readonly windowMs: number;
  /** > 0; the weight grows with time ^ (1 / aggression). */
  readonly aggression: number;
  readonly minWeightPercent: number;
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

/** TLS to the upstream, as far as it is decoded today: originating TLS with the platform's roots. */
export interface UpstreamTls {
  readonly sni?: string;
  readonly alpn: readonly string[];
  readonly subjectAltNames: readonly string[];
}

export type Discovery =
  | { readonly kind: 'eds'; readonly serviceName: string }
  /** Endpoints come inside the cluster (STATIC). */
  | { readonly kind: 'static'; readonly assignment: LoadAssignment }
  /** Host names resolved when dialling (STRICT_DNS, LOGICAL_DNS). */
  | { readonly kind: 'dns'; readonly assignment: LoadAssignment }
  /** The address the caller asked for (ORIGINAL_DST). */
  | { readonly kind: 'original-dst' };

export interface Cluster {
  readonly name: string;
  readonly discovery: Discovery;
  readonly connectTimeoutMs: number;
  readonly loadBalancer: LoadBalancer;
  /** Envoy CommonLbConfig.healthy_panic_threshold in percent; 0 = off (Istio's default). */
  readonly panicThreshold: number;
  readonly localityWeighted: boolean;
  /** Envoy ZoneAwareLbConfig.fail_traffic_on_panic: a priority that panics has nobody instead of everybody. */
  readonly failTrafficOnPanic?: boolean;
  readonly outlierDetection?: OutlierDetection;
  readonly circuitBreakers: { readonly default: CircuitBreaker; readonly high: CircuitBreaker };
  readonly http2: boolean;
  readonly maxRequestsPerConnection?: number;
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
  readonly tls?: UpstreamTls;
  /** `filter_metadata.istio`: service hosts behind this cluster and the DestinationRule it came from. */
  readonly serviceHost?: string;
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
  /** `envoy.lb` hash_key metadata (gRFC A76). */
  readonly hashKey?: string;
  /** `istio.workload` metadata: `name;ns;app;version;cluster`. */
  readonly workload?: string;
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
}
