import type { Cell, Family, Graph, Input, Read } from '../graph/graph.ts';
import { isPrefix } from '../registry/lookups.ts';
import type { MeshEndpoint, MeshService, RegistryChanges, RegistryReads, Workload } from '../registry/read-model.ts';
import { endpointsKey } from '../registry/registry.ts';
import type { ConfigObject, ObjectKey, Origin } from '../schema/types.ts';
import type { MeshSettings } from '../translate/mesh-settings.ts';
import { resolveHost } from '../translate/names.ts';
import { peersOf, samePeers } from '../translate/peers.ts';
import type { IndexChanges, Rule, Rules } from '../translate/rules.ts';
import { sameBundle, type TrustBundle } from '../translate/tls/mesh-roots.ts';
import { type Secret, secretKey, type VirtualService, virtualServiceKey, type World } from '../translate/world.ts';

/** The registry and the rules as cells of a graph, so that a World can record what is read of it. */
export interface WorldCells {
  world(read: Read): World;
  /** By content: an object that only moved in its file is no change. */
  readonly rule: Family<Rule | undefined>;
  readonly mesh: Cell<MeshSettings>;
  readonly trustBundle: Input<TrustBundle | undefined>;
  /** By identity: for whoever tells places. */
  readonly origin: Family<Origin | undefined>;
  registryChanged(changes: RegistryChanges): void;
  rulesChanged(changes: IndexChanges): void;
  meshChanged(): void;
  /** The object came, went or changed, if only in its place. */
  objectChanged(key: ObjectKey): void;
}

interface WorldParts {
  readonly registry: RegistryReads;
  readonly rules: Rules;
  readonly clusterDomain: string;
}

/** The only key of a family that is one list. */
const ALL = '';

export const createWorldCells = (graph: Graph, { registry, rules, clusterDomain }: WorldParts): WorldCells => {
  const services = graph.inputs('services', (host) => registry.services(host), sameItems);
  const addresses = graph.inputs('address', (address) => registry.servicesAt(address), sameItems);
  const prefixes = graph.inputs('address prefixes', () => registry.prefixes(), sameItems);
  const serviceWildcards = graph.inputs('service wildcards', () => registry.wildcards(), sameItems);
  const endpoints = graph.inputs('endpoints', (key) => endpointsByKey(registry, key));
  const peers = graph.deriveds('peers', (read, key) => peersOf(read(endpoints.at(key))), samePeers);
  const workloads = createWorkloadCells(graph, registry);
  const rule = graph.inputs('rule', (key) => rules.get(key), sameContent);
  const origin = graph.inputs('origin', (key) => originOf(registry, rules, key));
  const served = graph.inputs('served', (key) => originOf(registry, rules, key) !== undefined);
  const mesh = graph.input('mesh', rules.mesh());
  const trustBundle = graph.input<TrustBundle | undefined>('trust bundle', undefined, sameBundle);
  const at = {
    virtualServices: graph.inputs('virtual services', (host) => rules.virtualServices.at(host), sameRules),
    references: graph.inputs('references', (name) => rules.references.at(name), sameRules),
    destinationRules: graph.inputs('destination rules', (host) => rules.destinationRules.at(host), sameRules),
    sidecars: graph.inputs('sidecars', (namespace) => rules.sidecars.at(namespace), sameRules),
    peerAuthentications: graph.inputs('peer authentications', (ns) => rules.peerAuthentications.at(ns), sameRules),
    secrets: graph.inputs('secrets', (ns) => rules.secrets.at(ns), sameRules),
    callPolicies: graph.inputs('call policies', (target) => rules.callPolicies.at(target), sameRules),
  };
  const wildcards = graph.inputs('wildcards', (index) => wildcardsOf(rules, index), sameItems);
  return {
    rule,
    origin,
    mesh,
    trustBundle,
    world: (read) => ({
      clusterDomain,
      mesh: () => read(mesh),
      resolveHost: (host, namespace) => resolveHost(host, namespace, clusterDomain),
      services: (hostname) => read(services.at(hostname)),
      serviceWildcards: () => read(serviceWildcards.at(ALL)),
      servicesAt: (address) => read(addresses.at(address)),
      addressPrefixes: () => read(prefixes.at(ALL)),
      endpoints: (service, port) => read(endpoints.at(endpointsKey(service, port))),
      peers: (service, port) => read(peers.at(endpointsKey(service, port))),
      workloads: (namespace) => read(workloads.of.at(namespace)),
      workloadNamespaces: () => read(workloads.namespaces.at(ALL)),
      virtualServices: (host) => read(at.virtualServices.at(host)),
      virtualService: (namespace, name) => asVirtualService(read(rule.at(virtualServiceKey(namespace, name)))),
      virtualServicesTo: (reference) => read(at.references.at(reference)),
      destinationRules: (host) => read(at.destinationRules.at(host)),
      virtualServiceWildcards: () => read(wildcards.at('virtualServices')),
      destinationRuleWildcards: () => read(wildcards.at('destinationRules')),
      sidecars: (namespace) => read(at.sidecars.at(namespace)),
      peerAuthentications: (namespace) => read(at.peerAuthentications.at(namespace)),
      secret: (namespace, name) => asSecret(read(rule.at(secretKey(namespace, name)))),
      trustBundle: () => read(trustBundle),
      callPolicies: (target) => read(at.callPolicies.at(target)),
      isServed: (key) => read(served.at(key)),
    }),
    registryChanged(changes) {
      for (const host of changes.hostnames) services.reload(host);
      for (const address of changes.addresses) addresses.reload(address);
      if ([...changes.addresses].some(isPrefix)) prefixes.reload(ALL);
      for (const key of changes.endpoints) endpoints.reload(key);
      if (changes.hostnameSet) serviceWildcards.reload(ALL);
      workloads.changed(changes.workloads);
    },
    rulesChanged({ index, hosts, wildcards: wildcardsToo }) {
      for (const host of hosts) at[index].reload(host);
      if (wildcardsToo) wildcards.reload(index);
    },
    meshChanged: () => mesh.set(rules.mesh()),
    objectChanged(key) {
      rule.reload(key);
      origin.reload(key);
      served.reload(key);
    },
  };
};

const wildcardsOf = (rules: Rules, index: string): readonly string[] =>
  index === 'virtualServices' ? rules.virtualServices.wildcards() : rules.destinationRules.wildcards();

const asVirtualService = (rule: Rule | undefined): VirtualService | undefined =>
  rule?.kind === 'VirtualService' ? rule : undefined;

/**
 * Workloads of a namespace, for checks. There may be tens of thousands of them, and a push of endpoints must not list them: it
 * only counts, and who asks next lists them again.
 */
const createWorkloadCells = (graph: Graph, registry: RegistryReads) => {
  const counts = new Map<string, number>();
  const count = graph.inputs('workload changes', (key) => counts.get(key) ?? 0);
  const of = graph.deriveds(
    'workloads',
    (read, namespace): readonly Workload[] => {
      read(count.at(namespace));
      return registry.workloads(namespace);
    },
    sameItems,
  );
  const namespaces = graph.deriveds(
    'workload namespaces',
    (read): readonly string[] => {
      read(count.at(ALL));
      return registry.workloadNamespaces();
    },
    sameItems,
  );
  return {
    of,
    namespaces,
    changed(workloads: ReadonlySet<string>): void {
      for (const key of workloads.size === 0 ? [] : [ALL, ...namespacesOf(workloads)]) {
        counts.set(key, (counts.get(key) ?? 0) + 1);
        count.reload(key);
      }
    },
  };
};

const asSecret = (rule: Rule | undefined): Secret | undefined => (rule?.kind === 'Secret' ? rule : undefined);

/** Of `namespace/name`. */
const namespacesOf = (workloads: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...workloads].map((workload) => workload.slice(0, workload.indexOf('/'))));

const endpointsByKey = (registry: RegistryReads, key: string): readonly MeshEndpoint[] => {
  const bar = key.lastIndexOf('|');
  return registry.endpoints(key.slice(0, bar), Number(key.slice(bar + 1)));
};

const originOf = (registry: RegistryReads, rules: Rules, key: ObjectKey): Origin | undefined =>
  rules.get(key)?.origin ?? registry.origin(key);

const sameItems = <T extends string | MeshService | Workload>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

const sameContent = (a: ConfigObject | undefined, b: ConfigObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.key === b.key && a.contentHash === b.contentHash);

const sameRules = (a: readonly ConfigObject[], b: readonly ConfigObject[]): boolean =>
  a.length === b.length && a.every((rule, index) => sameContent(rule, b[index]));
