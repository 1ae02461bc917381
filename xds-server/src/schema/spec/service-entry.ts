/** networking.istio.io ServiceEntry, WorkloadEntry, WorkloadGroup; conventions as in virtual-service.ts. */

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  /** IP addresses or CIDR prefixes. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServiceEntryPort[];
  readonly location: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
  readonly resolution: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';
  readonly endpoints: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: { readonly labels: ReadonlyMap<string, string> };
  readonly exportTo: readonly string[];
  readonly subjectAltNames: readonly string[];
}

export interface ServiceEntryPort {
  readonly number: number;
  readonly name: string;
  /** Upper case; HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, MONGO, TCP, TLS … as Istio; empty = detected (here TCP). */
  readonly protocol: string;
  readonly targetPort?: number;
}

export interface WorkloadEntrySpec {
  /** IP, host name (resolution DNS) or `unix:///path`; empty in a WorkloadGroup's template. */
  readonly address: string;
  /** Port name → number. */
  readonly ports: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, string>;
  readonly network?: string;
  /** `region/zone/subzone`. */
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}

export interface WorkloadGroupSpec {
  readonly metadata?: {
    readonly labels: ReadonlyMap<string, string>;
    readonly annotations: ReadonlyMap<string, string>;
  };
  readonly template: WorkloadEntrySpec;
}
