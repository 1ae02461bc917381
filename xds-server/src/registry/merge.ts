import { defaultOf } from '../defaults.ts';
import type { ConfigObject } from '../schema/types.ts';
import { endpointOf, type Instance, selects } from './instance.ts';
import { fromEndpoints, fromSlices } from './kubernetes-endpoints.ts';
import { fromKubernetes } from './kubernetes-service.ts';
import { compareText } from './multi-map.ts';
import type { MeshEndpoint, MeshService, MeshServicePort, ServiceKey } from './read-model.ts';
import { fromServiceEntry, writtenEndpoints } from './service-entry.ts';
import type { Store } from './store.ts';
import { TLS_MODE_LABEL, takesMutualTls } from './tls-mode.ts';

export interface MergedService {
  readonly service: MeshService;
  readonly endpoints: ReadonlyMap<number, readonly MeshEndpoint[]>;
}

/** Everything about one service, from nothing: what the registry's incremental work must equal. */
export const mergeService = (store: Store, key: ServiceKey, clusterDomain: string): MergedService | undefined => {
  const definitions = store.definitions(key);
  const namespace = key.slice(0, key.indexOf('/'));
  const hostname = key.slice(namespace.length + 1);
  const [first] = definitions;
  const processes = store.registered(namespace);
  const named = processes.filter((instance) => store.serviceOf(instance) === key);
  const service =
    first === undefined
      ? implicitService(key, hostname, isOfNamespace(hostname, namespace, clusterDomain) ? named : [])
      : first.kind === 'Service'
        ? fromKubernetes(first, clusterDomain)
        : fromServiceEntry(first, hostname);
  if (service === undefined) return undefined;
  const endpoints = new Map<number, readonly MeshEndpoint[]>();
  for (const port of service.ports) {
    const found = definitions.flatMap((definition) =>
      definition.kind === 'Service'
        ? kubernetesEndpoints(store, definition, service, port)
        : entryEndpoints(store, definition, hostname, port),
    );
    const registered = (first === undefined ? named : members(processes, named, service))
      .filter((instance) => first === undefined || servesPort(instance, service, port))
      .map((instance) => endpointOf(instance, instance.registered?.port ?? 0));
    endpoints.set(port.number, oneOfEach(found, registered));
  }
  return { service, endpoints };
};

/** Registered processes behind a service: those that named it and those it selects. */
const members = (
  processes: readonly Instance[],
  named: readonly Instance[],
  { selector }: MeshService,
): readonly Instance[] =>
  processes.filter((instance) => named.includes(instance) || selects(selector, instance.workload.labels));

/** A name outside its namespace is for configuration to give: whoever may register must not take another's host. */
const isOfNamespace = (hostname: string, namespace: string, clusterDomain: string): boolean =>
  hostname.endsWith(`.${namespace}.svc.${clusterDomain}`);

/**
 * Processes registered under a name that no configuration has: a service of their own, so that two processes find each
 * other without YAML. Port 80 makes `http://name/` work whatever ports they chose.
 */
const implicitService = (
  key: ServiceKey,
  hostname: string,
  registered: readonly Instance[],
): MeshService | undefined => {
  const [first] = registered;
  if (first === undefined) return undefined;
  // Whoever may register may choose a port: without a bound, ports times processes would be theirs to choose too.
  const chosen = [...new Set(registered.map((instance) => instance.registered?.port ?? 80))];
  const numbers = [...new Set([80, ...chosen.sort((a, b) => a - b).slice(0, defaultOf('implicitPorts'))])];
  return {
    key,
    hostname,
    name: hostname.split('.')[0] ?? hostname,
    namespace: first.workload.namespace,
    kind: 'implicit',
    resolution: 'client-side-lb',
    headless: false,
    meshExternal: false,
    addresses: [],
    ports: numbers
      .sort((a, b) => a - b)
      .map((number) => ({ number, name: number === 80 ? 'http' : `http-${number}`, protocol: 'http' })),
    exportTo: [],
    subjectAltNames: [],
    labels: new Map(),
    selector: new Map(),
  };
};

const kubernetesEndpoints = (
  store: Store,
  object: ConfigObject<'Service'>,
  service: MeshService,
  port: MeshServicePort,
): MeshEndpoint[] => {
  const { spec, namespace } = object;
  if (spec.type === 'ExternalName') return externalName(service, port, spec.externalName ?? '');
  const options = {
    publishNotReady: spec.publishNotReadyAddresses,
    find: store.find.bind(store),
    place: store.nodeLocality.bind(store),
  };
  const slices = store.slices(service.key);
  const listed = store.endpoints(service.key);
  const found =
    slices.length > 0
      ? fromSlices(slices, service, port, options)
      : listed.flatMap((object) => fromEndpoints(object, service, port, options));
  // Where nobody runs a controller (a folder of YAML), Pods are selected here; WorkloadEntries always are, as Istio does.
  const podsToo = slices.length === 0 && listed.length === 0;
  for (const instance of store.selected(namespace, spec.selector)) {
    if (instance.workload.kind === 'pod' && !podsToo) continue;
    if (instance.health === 'unhealthy' && !spec.publishNotReadyAddresses) continue;
    const number = targetPortOf(instance, port);
    if (number !== undefined) found.push({ ...endpointOf(instance, number), health: 'healthy' });
  }
  return found;
};

const externalName = (service: MeshService, port: MeshServicePort, address: string): MeshEndpoint[] => [
  {
    address: address.toLowerCase(),
    port: port.number,
    health: 'healthy',
    labels: new Map(),
    locality: { region: '', zone: '', subZone: '' },
    weight: 1,
    namespace: service.namespace,
    workload: service.name,
  },
];

/** A named target port is one of the Pod's; without it this instance does not serve the port. */
const targetPortOf = (instance: Instance, port: MeshServicePort): number | undefined => {
  const isPod = instance.workload.kind === 'pod';
  const own = isPod ? undefined : instance.ports.get(port.name);
  if (own !== undefined) return own;
  if (typeof port.targetPort === 'string')
    return instance.ports.get(port.targetPort) ?? (isPod ? undefined : port.number);
  return port.targetPort ?? port.number;
};

const entryEndpoints = (
  store: Store,
  entry: ConfigObject<'ServiceEntry'>,
  hostname: string,
  port: MeshServicePort,
): MeshEndpoint[] => {
  const own = entry.spec.ports.find(({ number }) => number === port.number);
  // A second ServiceEntry for the host adds endpoints only on ports it has.
  if (own === undefined) return [];
  const meant = { ...port, name: own.name, ...(own.targetPort !== undefined && { targetPort: own.targetPort }) };
  const found = [...writtenEndpoints(entry, hostname, meant)];
  const selector = entry.spec.workloadSelector?.labels ?? new Map<string, string>();
  for (const instance of store.selected(entry.namespace, selector)) {
    if (instance.health === 'unhealthy') continue;
    found.push(endpointOf(instance, instance.ports.get(own.name) ?? own.targetPort ?? own.number));
  }
  return found;
};

/** The service port a registered process stands behind: the only one, else the one whose (target) port it listens on. */
const servesPort = (instance: Instance, service: MeshService, port: MeshServicePort): boolean => {
  if (service.ports.length === 1) return true;
  const listening = instance.registered?.port;
  const target = service.ports.find(({ targetPort }) => targetPort === listening);
  return (target ?? service.ports.find(({ number }) => number === listening) ?? service.ports[0]) === port;
};

/**
 * Sorted by address and port, each once. What the configuration says stays, else what was registered first; but a program that takes
 * the mesh's TLS there, and says so itself, knows better than a launcher that has registered it from outside.
 */
const oneOfEach = (
  configured: readonly MeshEndpoint[],
  registered: readonly MeshEndpoint[],
): readonly MeshEndpoint[] => {
  const byAddress = new Map<string, MeshEndpoint>();
  for (const endpoint of configured) {
    const at = addressKey(endpoint);
    if (!byAddress.has(at)) byAddress.set(at, endpoint);
  }
  const written = new Set(byAddress.keys());
  for (const endpoint of registered) {
    const at = addressKey(endpoint);
    const known = byAddress.get(at);
    if (known === undefined) byAddress.set(at, endpoint);
    else if (speaksBetter(endpoint, known)) byAddress.set(at, written.has(at) ? secured(known, endpoint) : endpoint);
  }
  return [...byAddress.values()].sort((a, b) => compareText(a.address, b.address) || a.port - b.port);
};

const addressKey = ({ address, port }: MeshEndpoint): string => `${address}|${port}`;

/** Only of itself: another account does not decide how this one is called. The label is given to proven registrations alone. */
const speaksBetter = (endpoint: MeshEndpoint, known: MeshEndpoint): boolean =>
  takesMutualTls(endpoint.labels) &&
  !takesMutualTls(known.labels) &&
  (known.serviceAccount === undefined || known.serviceAccount === endpoint.serviceAccount);

const secured = (known: MeshEndpoint, { serviceAccount }: MeshEndpoint): MeshEndpoint => ({
  ...known,
  labels: new Map([...known.labels, [TLS_MODE_LABEL, 'istio']]),
  ...(serviceAccount !== undefined && { serviceAccount }),
});
