import type { ObjectKey, Origin } from '../schema/types.ts';

/**
 * What translation reads. Every value here is immutable and keeps its identity until it really changes, so `===` is the
 * version stamp: `apply` names the keys whose value is another object now, and nothing else has to be looked at.
 */

/** `${namespace}/${hostname}`: one hostname may exist in several namespaces (ServiceEntry). */
export type ServiceKey = string;

/** `${namespace}/${hostname}|${port}`. */
export type EndpointsKey = string;

/** As Istio's protocol selection (name prefix, appProtocol); `auto`: not declared, sniffed by a proxy. */
export type PortProtocol =
  | 'http'
  | 'http2'
  | 'https'
  | 'grpc'
  | 'grpc-web'
  | 'tcp'
  | 'tls'
  | 'mongo'
  | 'redis'
  | 'mysql'
  | 'udp'
  | 'auto';

export interface MeshServicePort {
  readonly number: number;
  /** Empty for the single unnamed port of a Kubernetes Service. */
  readonly name: string;
  readonly protocol: PortProtocol;
  readonly targetPort?: number | string;
}

export interface MeshService {
  readonly key: ServiceKey;
  /** FQDN, lower case; `*.suffix` for a wildcard ServiceEntry. */
  readonly hostname: string;
  /** metadata.name. */
  readonly name: string;
  readonly namespace: string;
  /** `implicit`: made up for processes that registered themselves under a name no configuration has. */
  readonly kind: 'kubernetes' | 'service-entry' | 'implicit';
  /** `dns`: every address of a name (STRICT_DNS); `dns-round-robin`: one (LOGICAL_DNS); `none`: where the caller goes. */
  readonly resolution: 'client-side-lb' | 'static' | 'dns' | 'dns-round-robin' | 'none';
  readonly headless: boolean;
  readonly meshExternal: boolean;
  /** Of an ExternalName: the host it stands for, lower case. */
  readonly externalName?: string;
  /** Cluster IPs, or the addresses of a ServiceEntry (CIDR prefixes as written). */
  readonly addresses: readonly string[];
  readonly ports: readonly MeshServicePort[];
  /** Empty = public. `.`, `*`, `~`, namespaces; from exportTo or the annotation networking.istio.io/exportTo. */
  readonly exportTo: readonly string[];
  readonly subjectAltNames: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly selector: ReadonlyMap<string, string>;
  /** Kubernetes spec.trafficDistribution or the annotation networking.istio.io/traffic-distribution. */
  readonly trafficDistribution?: string;
  readonly creationTime?: number;
  /** undefined for an implicit service. Not part of the identity: follows the newest text. */
  readonly objectKey?: ObjectKey;
}

export interface EndpointLocality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface MeshEndpoint {
  /** IP literal, host name (dns services) or `unix:PATH` (port 0). */
  readonly address: string;
  readonly port: number;
  /** `draining`: terminating but still serving. Endpoints that are not ready are not listed. */
  readonly health: 'healthy' | 'draining' | 'unhealthy';
  /** Of the Pod, WorkloadEntry or registration: what subsets select by. */
  readonly labels: ReadonlyMap<string, string>;
  readonly locality: EndpointLocality;
  readonly weight: number;
  readonly namespace: string;
  /** Name of the Pod, WorkloadEntry or ServiceEntry endpoint; empty where nothing is known. */
  readonly workload: string;
  readonly serviceAccount?: string;
  readonly network?: string;
  /** Pod hostname of a headless service. */
  readonly hostname?: string;
}

/** Something that runs: who `--from NAMESPACE/WORKLOAD` may name, and what labels it has. */
export interface Workload {
  readonly kind: 'pod' | 'workload-entry' | 'registration';
  readonly name: string;
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly address: string;
  readonly serviceAccount?: string;
  readonly locality: EndpointLocality;
}

export interface RegistryReads {
  /** Every service with exactly this hostname (lower case), best first: Kubernetes, then oldest, then namespace. */
  services(hostname: string): readonly MeshService[];
  service(key: ServiceKey): MeshService | undefined;
  /** In the order of hostnames. */
  servicesIn(namespace: string): readonly MeshService[];
  /** All hostnames, sorted; wildcards included. */
  hostnames(): readonly string[];
  /** Only the wildcards (`*.example.com`), longest first. */
  wildcards(): readonly string[];
  /** The services that have exactly this IP address or CIDR prefix (Cluster IP or ServiceEntry address). */
  servicesAt(address: string): readonly MeshService[];
  /** Every CIDR prefix that some service has, the longest first. */
  prefixes(): readonly string[];
  /** Sorted by address and port; of all workloads behind that port, subsets are chosen with `inSubset`. */
  endpoints(service: ServiceKey, port: number): readonly MeshEndpoint[];
  workload(namespace: string, name: string): Workload | undefined;
  workloads(namespace: string): readonly Workload[];
  /** Namespaces that have any, sorted. */
  workloadNamespaces(): readonly string[];
  /** Where a served object stands in its file. */
  origin(key: ObjectKey): Origin | undefined;
}

export interface RegistryChanges {
  /** Hostnames for which `services` gives another list now. */
  readonly hostnames: ReadonlySet<string>;
  readonly services: ReadonlySet<ServiceKey>;
  readonly endpoints: ReadonlySet<EndpointsKey>;
  /** Namespaces for which `servicesIn` gives another list now. */
  readonly namespaces: ReadonlySet<string>;
  /** IP addresses and prefixes for which `servicesAt` gives another list now. */
  readonly addresses: ReadonlySet<string>;
  /** `${namespace}/${name}` of workloads that came, went or changed. */
  readonly workloads: ReadonlySet<string>;
  /** A hostname appeared or disappeared: `hostnames` and `wildcards` give other lists. */
  readonly hostnameSet: boolean;
}
