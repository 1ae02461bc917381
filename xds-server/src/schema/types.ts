import type { CallPolicySpec } from './spec/call-policy.ts';
import type {
  EndpointSliceSpec,
  EndpointsSpec,
  NamespaceSpec,
  NodeSpec,
  PodSpec,
  PodStatus,
  ServiceAccountSpec,
  ServiceSpec,
} from './spec/core.ts';
import type { DestinationRuleSpec } from './spec/destination-rule.ts';
import type { ConfigMapSpec } from './spec/mesh-config.ts';
import type { PeerAuthenticationSpec } from './spec/peer-authentication.ts';
import type { SecretSpec } from './spec/secret.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec, WorkloadGroupSpec } from './spec/service-entry.ts';
import type { SidecarSpec } from './spec/sidecar.ts';
import type { VirtualServiceSpec } from './spec/virtual-service.ts';

/** The typed spec of every kind that is served. Kinds Inmesh only knows by name never become a ConfigObject. */
export interface SpecOf {
  readonly Namespace: NamespaceSpec;
  readonly Node: NodeSpec;
  readonly ConfigMap: ConfigMapSpec;
  readonly Service: ServiceSpec;
  readonly Endpoints: EndpointsSpec;
  readonly EndpointSlice: EndpointSliceSpec;
  readonly Pod: PodSpec;
  readonly ServiceAccount: ServiceAccountSpec;
  readonly ServiceEntry: ServiceEntrySpec;
  readonly WorkloadEntry: WorkloadEntrySpec;
  readonly WorkloadGroup: WorkloadGroupSpec;
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly Sidecar: SidecarSpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
  readonly Secret: SecretSpec;
  readonly CallPolicy: CallPolicySpec;
}

export type Kind = keyof SpecOf;

/** `${kind}/${namespace}/${name}`; the namespace of a cluster-scoped object (Namespace, Node) is empty. */
export type ObjectKey = string;

/**
 * Where an object was written. It lives beside the object and never in a translation result: a comment line must not
 * re-version anything.
 */
export interface Origin {
  readonly file: string;
  /** 1-based line of `spec.http[0].route[1]`; of the nearest parent that is written where the field itself is not. */
  line(fieldPath: string): number;
}

export interface ConfigObject<K extends Kind = Kind> {
  readonly kind: K;
  readonly apiVersion: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** metadata.creationTimestamp in ms since the epoch. Ties and absent values are ordered by namespace/name. */
  readonly creationTime?: number;
  /** metadata.uid: one Pod of this name, and not the next. */
  readonly uid?: K extends 'Pod' ? string : never;
  readonly spec: SpecOf[K];
  /** Only Pods have one that is read. */
  readonly status?: K extends 'Pod' ? PodStatus : never;
  readonly key: ObjectKey;
  /** Over everything above and nothing else: equal hashes mean that only the position or a comment changed. */
  readonly contentHash: string;
  readonly origin: Origin;
}

/** Any object, discriminated by `kind`. */
export type AnyObject = { readonly [K in Kind]: ConfigObject<K> }[Kind];

/** `info`: harmless and worth knowing (a Deployment in the folder, a service made up for a registered process). */
export type Severity = 'error' | 'warning' | 'info';

/** Printed by `formatProblem` as `file:line: kind namespace/name: field path: what is wrong, what is allowed`. */
export interface Problem {
  readonly severity: Severity;
  readonly file: string;
  readonly line: number;
  /** `VirtualService default/reviews`. */
  readonly object?: string;
  readonly fieldPath?: string;
  readonly message: string;
}

export type ChangeEvent =
  | { readonly kind: 'upsert'; readonly object: AnyObject }
  | { readonly kind: 'delete'; readonly key: ObjectKey };

/** Somewhere configuration comes from: a folder, memory, a Kubernetes API. */
export interface Source {
  /** Resolves once everything that is there has been reported: one `change` with it all (possibly empty) and one `problems`. */
  start(on: SourceObserver): Promise<void>;
  /** Looks at everything now; resolves when all it found has been reported. Not needed where changes come synchronously. */
  refresh?(): Promise<void>;
  close(): void;
}

export interface SourceObserver {
  change(events: readonly ChangeEvent[]): void;
  /** The complete current list, each time it changes. */
  problems(list: readonly Problem[]): void;
}
