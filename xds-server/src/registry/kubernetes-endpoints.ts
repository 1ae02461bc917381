import type { EndpointAddress, EndpointPort, ObjectReference, SliceEndpoint } from '../schema/spec/core.ts';
import type { ConfigObject } from '../schema/types.ts';
import type { Instance } from './instance.ts';
import { NOWHERE } from './locality.ts';
import type { EndpointLocality, MeshEndpoint, MeshService, MeshServicePort } from './read-model.ts';

/** Finds the Pod (or other instance) behind an address, whose labels subsets select by. */
type FindInstance = (namespace: string, pod: string | undefined, address: string) => Instance | undefined;

interface ListOptions {
  readonly publishNotReady: boolean;
  readonly find: FindInstance;
  /** Where a Node stands. */
  readonly place: (node: string | undefined) => EndpointLocality | undefined;
}

/** Endpoints of one service port out of its EndpointSlices. */
export const fromSlices = (
  slices: Iterable<ConfigObject<'EndpointSlice'>>,
  service: MeshService,
  port: MeshServicePort,
  options: ListOptions,
): MeshEndpoint[] => {
  const found: MeshEndpoint[] = [];
  for (const { spec } of slices) {
    const target = matchingPort(spec.ports, service, port);
    if (target === undefined) continue;
    for (const endpoint of spec.endpoints) {
      const health = sliceHealth(endpoint, options.publishNotReady);
      if (health === undefined) continue;
      for (const address of endpoint.addresses) {
        found.push(resolved({ ...endpoint, address, health }, target, service, options));
      }
    }
  }
  return found;
};

/** Endpoints of one service port out of a (deprecated) Endpoints object. */
export const fromEndpoints = (
  { spec }: ConfigObject<'Endpoints'>,
  service: MeshService,
  port: MeshServicePort,
  options: ListOptions,
): MeshEndpoint[] =>
  spec.subsets.flatMap((subset) => {
    const target = matchingPort(subset.ports, service, port);
    if (target === undefined) return [];
    const addresses: readonly EndpointAddress[] = options.publishNotReady
      ? [...subset.addresses, ...subset.notReadyAddresses]
      : subset.addresses;
    return addresses.map((address) =>
      resolved({ ...address, address: address.ip, health: 'healthy' }, target, service, options),
    );
  });

interface KnownAddress {
  readonly address: string;
  readonly health: MeshEndpoint['health'];
  readonly hostname?: string;
  readonly targetRef?: ObjectReference;
  readonly zone?: string;
  readonly nodeName?: string;
}

const resolved = (at: KnownAddress, port: number, service: MeshService, { find, place }: ListOptions): MeshEndpoint => {
  const ref = at.targetRef;
  const pod = ref?.kind === 'Pod' || ref?.kind === undefined ? ref?.name : undefined;
  const workload = find(ref?.namespace ?? service.namespace, pod, at.address)?.workload;
  const locality = workload?.locality ?? place(at.nodeName) ?? NOWHERE;
  const serviceAccount = workload?.serviceAccount;
  return {
    address: at.address,
    port,
    health: at.health,
    labels: workload?.labels ?? NO_LABELS,
    locality: locality.zone === '' && at.zone ? { ...locality, zone: at.zone } : locality,
    weight: 1,
    namespace: service.namespace,
    workload: workload?.name ?? pod ?? '',
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(at.hostname !== undefined && { hostname: at.hostname }),
  };
};

const NO_LABELS: ReadonlyMap<string, string> = new Map();

/** discovery.k8s.io/v1 EndpointConditions: terminating but still serving is drained, not dropped. */
const sliceHealth = (
  { conditions: { ready, serving, terminating } }: SliceEndpoint,
  publishNotReady: boolean,
): MeshEndpoint['health'] | undefined => {
  if (terminating) return serving ? 'draining' : undefined;
  return ready || publishNotReady ? 'healthy' : undefined;
};

/**
 * Ports meet by name. Hand-written slices often leave the name out where there is only one port on either side: those
 * meet too. A slice port without a number means every port.
 */
const matchingPort = (
  ports: readonly EndpointPort[],
  service: MeshService,
  port: MeshServicePort,
): number | undefined => {
  const found =
    ports.find(({ name = '' }) => name === port.name) ??
    (ports.length === 1 && service.ports.length === 1 ? ports[0] : undefined);
  if (found === undefined) return undefined;
  return found.port ?? (typeof port.targetPort === 'number' ? port.targetPort : port.number);
};
