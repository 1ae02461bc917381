/** inmesh.io CallPolicy: what Istio's resources have no field for; conventions as in virtual-service.ts. */
export interface CallPolicySpec {
  readonly targetRefs: readonly CallPolicyTarget[];
  readonly hedging?: Hedging;
  /** Of a request body kept so that it can be sent again, bytes. */
  readonly bodyBuffer?: number;
  readonly faultScope?: 'call' | 'attempt';
  readonly mirror?: { readonly compare: MirrorCompare };
  readonly healthCheck?: HealthCheckSettings;
  readonly keepAlive?: KeepAliveSettings;
  readonly retryNonIdempotent?: boolean;
  readonly weightedByLoad?: WeightedByLoad;
}

/** In the policy's own namespace (Gateway API LocalPolicyTargetReferenceWithSectionName). */
export interface CallPolicyTarget {
  /** Empty for a Service. */
  readonly group?: string;
  readonly kind: 'Service' | 'ServiceEntry' | 'VirtualService';
  readonly name: string;
  /** Name of one http route of a VirtualService. */
  readonly sectionName?: string;
}

export interface Hedging {
  readonly delay?: number | 'p95';
  readonly maxHedges?: number;
  readonly onPerTryTimeout?: boolean;
}

export interface MirrorCompare {
  readonly status: boolean;
  readonly json: boolean;
  readonly latency: boolean;
}

export interface HealthCheckSettings {
  readonly http?: {
    readonly path: string;
    readonly host?: string;
    readonly method?: 'GET' | 'HEAD' | 'OPTIONS';
    readonly expectedStatuses: readonly number[];
  };
  readonly tcp?: object;
  readonly grpc?: { readonly service?: string };
  readonly port?: number;
  readonly interval?: number;
  readonly timeout?: number;
  readonly unhealthyThreshold?: number;
  readonly healthyThreshold?: number;
}

export interface KeepAliveSettings {
  readonly idleTimeout?: number;
  /** PING on HTTP/2 connections. */
  readonly http2Ping?: { readonly interval: number; readonly timeout?: number };
}

/** Balancing by what servers report of their load (gRFC A58, ORCA); what is not written is as there. */
export interface WeightedByLoad {
  /** Reports come on a stream of their own, this often; undefined: with the answers. */
  readonly outOfBandPeriod?: number;
  readonly blackoutPeriod?: number;
  readonly weightExpirationPeriod?: number;
  readonly weightUpdatePeriod?: number;
  readonly errorUtilizationPenalty?: number;
  /** Reported metrics of which the largest is the utilization, where no application utilization is reported. */
  readonly utilizationMetrics: readonly string[];
}
