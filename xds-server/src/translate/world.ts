import type { MeshEndpoint, MeshService, RegistryReads, ServiceKey, Workload } from '../registry/read-model.ts';
import type { ConfigObject, ObjectKey } from '../schema/types.ts';
import { MESH_DEFAULTS, type MeshSettings } from './mesh-settings.ts';
import { resolveHost } from './names.ts';
import { type Peers, peersOf } from './peers.ts';
import type { TrustBundle } from './tls/mesh-roots.ts';

export const CLUSTER_DOMAIN = 'cluster.local';

export type VirtualService = ConfigObject<'VirtualService'>;
export type DestinationRule = ConfigObject<'DestinationRule'>;
export type Sidecar = ConfigObject<'Sidecar'>;
export type PeerAuthentication = ConfigObject<'PeerAuthentication'>;
export type Secret = ConfigObject<'Secret'>;
export type CallPolicy = ConfigObject<'CallPolicy'>;

/**
 * All that translation reads. It asks by key, also for keys that hold nothing, so an implementation can record the reads
 * (`graph/`) and translation stays plain functions that look like full recomputation.
 */
export interface World {
  readonly clusterDomain: string;
  mesh(): MeshSettings;
  /** A rule's host, completed for its namespace. */
  resolveHost(host: string, namespace: string): string;
  /** Every service with exactly this hostname, best first. */
  services(hostname: string): readonly MeshService[];
  /** Wildcard hostnames of the registry, longest first. */
  serviceWildcards(): readonly string[];
  /** Services that have exactly this IP address or CIDR prefix. */
  servicesAt(address: string): readonly MeshService[];
  /** CIDR prefixes of services, the longest first. */
  addressPrefixes(): readonly string[];
  endpoints(service: ServiceKey, port: number): readonly MeshEndpoint[];
  /** The same, as far as TLS towards them goes. */
  peers(service: ServiceKey, port: number): Peers;
  /** Of one namespace; for checks. */
  workloads(namespace: string): readonly Workload[];
  /** Namespaces in which something runs, sorted. */
  workloadNamespaces(): readonly string[];
  /** Rules that name exactly this (completed) host, in the order that decides conflicts. */
  virtualServices(host: string): readonly VirtualService[];
  /** By name: one that others may delegate to. */
  virtualService(namespace: string, name: string): VirtualService | undefined;
  destinationRules(host: string): readonly DestinationRule[];
  /** Rules that refer to this host as a destination, or to `delegate namespace/name`. */
  virtualServicesTo(reference: string): readonly VirtualService[];
  /** Wildcard hosts that some rule names, most specific first. */
  virtualServiceWildcards(): readonly string[];
  destinationRuleWildcards(): readonly string[];
  /** Of one namespace, the oldest first. */
  sidecars(namespace: string): readonly Sidecar[];
  /** Of one namespace, the oldest first. */
  peerAuthentications(namespace: string): readonly PeerAuthentication[];
  secret(namespace: string, name: string): Secret | undefined;
  /** undefined: the control plane has no CA. */
  trustBundle(): TrustBundle | undefined;
  /** That name this object as their target, the oldest first. */
  callPolicies(target: ObjectKey): readonly CallPolicy[];
  /** Whether an object of this key is served. */
  isServed(key: ObjectKey): boolean;
}

/** Rules of one kind, by the hosts they name. */
export interface RuleReads<R> {
  get(key: ObjectKey): R | undefined;
  at(host: string): readonly R[];
  wildcards(): readonly string[];
}

/** A World over the registry and the rules as they are, nothing recorded: for tests, checks and one-off answers. */
export const worldOf = (
  registry: RegistryReads,
  rules: {
    readonly virtualServices: RuleReads<VirtualService>;
    readonly destinationRules: RuleReads<DestinationRule>;
    readonly references: RuleReads<VirtualService>;
    readonly sidecars: RuleReads<Sidecar>;
    readonly callPolicies: RuleReads<CallPolicy>;
    readonly peerAuthentications: RuleReads<PeerAuthentication>;
    readonly secrets: RuleReads<Secret>;
  },
  mesh: MeshSettings = MESH_DEFAULTS,
  trustBundle?: TrustBundle,
): World => ({
  clusterDomain: CLUSTER_DOMAIN,
  mesh: () => mesh,
  resolveHost: (host, namespace) => resolveHost(host, namespace, CLUSTER_DOMAIN),
  services: (hostname) => registry.services(hostname),
  serviceWildcards: () => registry.wildcards(),
  servicesAt: (address) => registry.servicesAt(address),
  addressPrefixes: () => registry.prefixes(),
  endpoints: (service, port) => registry.endpoints(service, port),
  peers: (service, port) => peersOf(registry.endpoints(service, port)),
  workloads: (namespace) => registry.workloads(namespace),
  workloadNamespaces: () => registry.workloadNamespaces(),
  virtualServices: (host) => rules.virtualServices.at(host),
  virtualService: (namespace, name) => rules.virtualServices.get(virtualServiceKey(namespace, name)),
  virtualServicesTo: (reference) => rules.references.at(reference),
  destinationRules: (host) => rules.destinationRules.at(host),
  virtualServiceWildcards: () => rules.virtualServices.wildcards(),
  destinationRuleWildcards: () => rules.destinationRules.wildcards(),
  sidecars: (namespace) => rules.sidecars.at(namespace),
  peerAuthentications: (namespace) => rules.peerAuthentications.at(namespace),
  secret: (namespace, name) => rules.secrets.get(secretKey(namespace, name)),
  trustBundle: () => trustBundle,
  callPolicies: (target) => rules.callPolicies.at(target),
  isServed: (key) => (rules.virtualServices.get(key) ?? registry.origin(key)) !== undefined,
});

export const virtualServiceKey = (namespace: string, name: string): ObjectKey => `VirtualService/${namespace}/${name}`;

export const secretKey = (namespace: string, name: string): ObjectKey => `Secret/${namespace}/${name}`;
