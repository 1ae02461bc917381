import type { ConfigObject } from '../schema/types.ts';
import { localityOfLabels, NOWHERE, parseLocality } from './locality.ts';
import { hasEnded } from './pods.ts';
import type { EndpointLocality, MeshEndpoint, Workload } from './read-model.ts';
import { REGISTERED_PORT, REGISTERED_SERVICE, REGISTERED_WORKLOAD } from './registration.ts';

/** Something that runs and may stand behind services: a Pod, a WorkloadEntry, a registered process. */
export interface Instance {
  readonly workload: Workload;
  readonly health: MeshEndpoint['health'];
  /** Named ports: container ports of a Pod, `ports` of a WorkloadEntry. */
  readonly ports: ReadonlyMap<string, number>;
  readonly weight: number;
  readonly network?: string;
  readonly hostname?: string;
  /** Where a registered process belongs and listens. */
  readonly registered?: { readonly service: string; readonly port: number };
}

/** `node` is where the Node of a Pod stands, if that is known. */
export const instanceOf = (
  object: ConfigObject<'Pod'> | ConfigObject<'WorkloadEntry'>,
  node?: EndpointLocality,
): Instance | undefined => (object.kind === 'Pod' ? podInstance(object, node) : entryInstance(object));

const podInstance = (pod: ConfigObject<'Pod'>, node: EndpointLocality | undefined): Instance | undefined => {
  const { spec, status, labels, name, namespace } = pod;
  const address = status?.podIP ?? status?.podIPs[0]?.ip;
  // A Pod that has ended keeps its address in the API for a while; it serves nobody.
  if (address === undefined || hasEnded(pod)) return undefined;
  const ready = status?.conditions.find(({ type }) => type === 'Ready')?.status ?? 'True';
  const ports = new Map<string, number>();
  for (const port of spec.containers.flatMap((container) => container.ports)) {
    if (port.name !== undefined && !ports.has(port.name)) ports.set(port.name, port.containerPort);
  }
  return {
    workload: {
      kind: 'pod',
      name,
      namespace,
      labels,
      address,
      serviceAccount: spec.serviceAccountName ?? 'default',
      // A Pod's own labels win over its Node's (Istio getPodLocality).
      locality: placed(localityOfLabels(labels)) ?? node ?? NOWHERE,
    },
    health: ready === 'True' ? 'healthy' : 'unhealthy',
    ports,
    weight: 1,
    ...(spec.hostname !== undefined && { hostname: spec.hostname }),
  };
};

const placed = (locality: EndpointLocality): EndpointLocality | undefined =>
  locality.region + locality.zone + locality.subZone === '' ? undefined : locality;

const entryInstance = (entry: ConfigObject<'WorkloadEntry'>): Instance | undefined => {
  const { spec, annotations, namespace } = entry;
  if (spec.address === '') return undefined;
  // Istio merges both, the object's own labels first.
  const labels = entry.labels.size === 0 ? spec.labels : new Map([...spec.labels, ...entry.labels]);
  const service = annotations.get(REGISTERED_SERVICE);
  const port = Number(annotations.get(REGISTERED_PORT));
  return {
    workload: {
      kind: service === undefined ? 'workload-entry' : 'registration',
      name: annotations.get(REGISTERED_WORKLOAD) ?? entry.name,
      namespace,
      labels,
      address: spec.address,
      ...(spec.serviceAccount !== undefined && { serviceAccount: spec.serviceAccount }),
      locality: localityOf(spec.locality, labels),
    },
    health: 'healthy',
    ports: spec.ports,
    // 0 is protobuf's "not set".
    weight: spec.weight || 1,
    ...(spec.network !== undefined && { network: spec.network }),
    ...(service !== undefined && { registered: { service, port } }),
  };
};

export const localityOf = (written: string | undefined, labels: ReadonlyMap<string, string>): EndpointLocality =>
  written ? parseLocality(written) : localityOfLabels(labels);

/** Kubernetes selector semantics: every pair is there; an empty selector selects nothing. */
export const selects = (selector: ReadonlyMap<string, string>, labels: ReadonlyMap<string, string>): boolean => {
  if (selector.size === 0) return false;
  for (const [name, value] of selector) if (labels.get(name) !== value) return false;
  return true;
};

/** The instance as an endpoint on `port`. */
export const endpointOf = ({ workload, health, weight, network, hostname }: Instance, port: number): MeshEndpoint => {
  const { namespace, labels, locality, serviceAccount, name } = workload;
  return {
    ...socketOf(workload.address, port),
    health,
    labels,
    locality,
    weight,
    namespace,
    workload: name,
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(network !== undefined && { network }),
    ...(hostname !== undefined && { hostname }),
  };
};

/** `unix:///path` is written `unix:/path` and has no port. */
export const socketOf = (address: string, port: number): { readonly address: string; readonly port: number } =>
  address.startsWith('unix://') ? { address: `unix:${address.slice('unix://'.length)}`, port: 0 } : { address, port };
