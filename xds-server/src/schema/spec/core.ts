/** Kubernetes core/v1 and discovery.k8s.io/v1, as far as a mesh reads them; conventions as in virtual-service.ts. */

export type NamespaceSpec = Readonly<Record<never, never>>;
/** Its labels say where its Pods run. */
export type NodeSpec = Readonly<Record<never, never>>;
export type ServiceAccountSpec = Readonly<Record<never, never>>;

export interface ServiceSpec {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** `None` = headless. */
  readonly clusterIP?: string;
  readonly clusterIPs: readonly string[];
  readonly externalName?: string;
  readonly selector: ReadonlyMap<string, string>;
  readonly ports: readonly ServicePort[];
  readonly publishNotReadyAddresses: boolean;
  readonly trafficDistribution?: string;
}

export interface ServicePort {
  readonly port: number;
  readonly name?: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol?: string;
  /** A number, or the name of a container port; undefined = `port`. */
  readonly targetPort?: number | string;
}

/** In JSON `subsets` stands at the top of the object; here it is the spec. */
export interface EndpointsSpec {
  readonly subsets: readonly {
    readonly addresses: readonly EndpointAddress[];
    readonly notReadyAddresses: readonly EndpointAddress[];
    readonly ports: readonly EndpointPort[];
  }[];
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface ObjectReference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface EndpointPort {
  readonly name?: string;
  /** undefined = every port (EndpointSlice). */
  readonly port?: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol?: string;
}

/** In JSON these stand at the top of the object. The service's name is the label `kubernetes.io/service-name`. */
export interface EndpointSliceSpec {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly EndpointPort[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** Absent conditions read as Kubernetes says: ready, serving, not terminating. */
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly hostname?: string;
  readonly targetRef?: ObjectReference;
  readonly nodeName?: string;
  readonly zone?: string;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly hostname?: string;
  readonly containers: readonly PodContainer[];
}

export interface PodContainer {
  readonly name: string;
  readonly ports: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  }[];
}

export interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs: readonly { readonly ip: string }[];
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
}
