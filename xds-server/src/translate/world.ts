import type { MeshEndpoint, MeshService, RegistryReads, ServiceKey } from '../registry/read-model.ts';
import type { ConfigObject } from '../schema/types.ts';

/** What is the same for the whole mesh (Istio MeshConfig, as far as it is settable here). */
export interface MeshSettings {
  readonly clusterDomain: string;
  /** Its DestinationRules are the last resort of every namespace (Istio rootNamespace). */
  readonly rootNamespace: string;
}

export const MESH_SETTINGS: MeshSettings = { clusterDomain: 'cluster.local', rootNamespace: 'istio-system' };

export type VirtualService = ConfigObject<'VirtualService'>;
export type DestinationRule = ConfigObject<'DestinationRule'>;

/**
 * All that translation reads. It asks by key, also for keys that hold nothing, so an implementation can record the reads
 * (`graph/`) and translation stays plain functions that look like full recomputation.
 */
export interface World {
  readonly mesh: MeshSettings;
  /** Every service with exactly this hostname, best first. */
  services(hostname: string): readonly MeshService[];
  /** Wildcard hostnames of the registry, longest first. */
  serviceWildcards(): readonly string[];
  /** Services that own this IP address. */
  servicesAt(address: string): readonly MeshService[];
  endpoints(service: ServiceKey, port: number): readonly MeshEndpoint[];
  /** Rules that name exactly this (completed) host, in the order that decides conflicts. */
  virtualServices(host: string): readonly VirtualService[];
  destinationRules(host: string): readonly DestinationRule[];
  /** Wildcard hosts that some rule names, most specific first. */
  virtualServiceWildcards(): readonly string[];
  destinationRuleWildcards(): readonly string[];
}

/** Rules of one kind, by the hosts they name. */
export interface RuleReads<R> {
  at(host: string): readonly R[];
  wildcards(): readonly string[];
}

/** A World over the registry and the rules as they are, nothing recorded: for tests, checks and one-off answers. */
export const worldOf = (
  registry: RegistryReads,
  rules: {
    readonly virtualServices: RuleReads<VirtualService>;
    readonly destinationRules: RuleReads<DestinationRule>;
  },
  mesh: MeshSettings = MESH_SETTINGS,
): World => ({
  mesh,
  services: (hostname) => registry.services(hostname),
  serviceWildcards: () => registry.wildcards(),
  servicesAt: (address) => registry.servicesAt(address),
  endpoints: (service, port) => registry.endpoints(service, port),
  virtualServices: (host) => rules.virtualServices.at(host),
  destinationRules: (host) => rules.destinationRules.at(host),
  virtualServiceWildcards: () => rules.virtualServices.wildcards(),
  destinationRuleWildcards: () => rules.destinationRules.wildcards(),
});
