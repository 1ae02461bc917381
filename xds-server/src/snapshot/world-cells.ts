import type { Family, Graph, Read } from '../graph/graph.ts';
import type { MeshEndpoint, MeshService, RegistryChanges, RegistryReads } from '../registry/read-model.ts';
import { endpointsKey } from '../registry/registry.ts';
import type { ConfigObject, ObjectKey, Origin } from '../schema/types.ts';
import type { DestinationRule, MeshSettings, VirtualService, World } from '../translate/world.ts';
import type { KindChanges, Rules } from './rules.ts';

/** The registry and the rules as cells of a graph, so that a World can record what is read of it. */
export interface WorldCells {
  world(read: Read): World;
  /** By content: an object that only moved in its file is no change. */
  readonly rule: Family<VirtualService | DestinationRule | undefined>;
  /** By identity: for whoever tells places. */
  readonly origin: Family<Origin | undefined>;
  registryChanged(changes: RegistryChanges): void;
  rulesChanged(changes: KindChanges): void;
  /** The object came, went or changed, if only in its place. */
  objectChanged(key: ObjectKey): void;
}

/** The only key of a family that is one list. */
const ALL = '';

export const createWorldCells = (
  graph: Graph,
  { registry, rules, mesh }: { readonly registry: RegistryReads; readonly rules: Rules; readonly mesh: MeshSettings },
): WorldCells => {
  const services = graph.inputs('services', (host) => registry.services(host), sameItems);
  const addresses = graph.inputs('address', (address) => registry.servicesAt(address), sameItems);
  const serviceWildcards = graph.inputs('service wildcards', () => registry.wildcards(), sameItems);
  const endpoints = graph.inputs('endpoints', (key) => endpointsByKey(registry, key));
  const rule = graph.inputs('rule', (key) => rules.get(key), sameContent);
  const origin = graph.inputs('origin', (key) => originOf(registry, rules, key));
  const byKind = {
    VirtualService: {
      at: graph.inputs('virtual services', (host) => rules.virtualServices.at(host), sameRules),
      wildcards: graph.inputs('virtual service wildcards', () => rules.virtualServices.wildcards(), sameItems),
    },
    DestinationRule: {
      at: graph.inputs('destination rules', (host) => rules.destinationRules.at(host), sameRules),
      wildcards: graph.inputs('destination rule wildcards', () => rules.destinationRules.wildcards(), sameItems),
    },
  };
  return {
    rule,
    origin,
    world: (read) => ({
      mesh,
      services: (hostname) => read(services.at(hostname)),
      serviceWildcards: () => read(serviceWildcards.at(ALL)),
      servicesAt: (address) => read(addresses.at(address)),
      endpoints: (service, port) => read(endpoints.at(endpointsKey(service, port))),
      virtualServices: (host) => read(byKind.VirtualService.at.at(host)),
      destinationRules: (host) => read(byKind.DestinationRule.at.at(host)),
      virtualServiceWildcards: () => read(byKind.VirtualService.wildcards.at(ALL)),
      destinationRuleWildcards: () => read(byKind.DestinationRule.wildcards.at(ALL)),
    }),
    registryChanged(changes) {
      for (const host of changes.hostnames) services.reload(host);
      for (const address of changes.addresses) addresses.reload(address);
      for (const key of changes.endpoints) endpoints.reload(key);
      if (changes.hostnameSet) serviceWildcards.reload(ALL);
    },
    rulesChanged({ kind, hosts, wildcards }) {
      for (const host of hosts) byKind[kind].at.reload(host);
      if (wildcards) byKind[kind].wildcards.reload(ALL);
    },
    objectChanged(key) {
      rule.reload(key);
      origin.reload(key);
    },
  };
};

const endpointsByKey = (registry: RegistryReads, key: string): readonly MeshEndpoint[] => {
  const bar = key.lastIndexOf('|');
  return registry.endpoints(key.slice(0, bar), Number(key.slice(bar + 1)));
};

const originOf = (registry: RegistryReads, rules: Rules, key: ObjectKey): Origin | undefined =>
  rules.get(key)?.origin ?? registry.origin(key);

const sameItems = <T extends string | MeshService>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

const sameContent = (a: ConfigObject | undefined, b: ConfigObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.key === b.key && a.contentHash === b.contentHash);

const sameRules = (a: readonly ConfigObject[], b: readonly ConfigObject[]): boolean =>
  a.length === b.length && a.every((rule, index) => sameContent(rule, b[index]));
