import type { ServiceEntrySpec, WorkloadEntrySpec } from '../schema/spec/service-entry.ts';
import type { ConfigObject } from '../schema/types.ts';
import { localityOf, socketOf } from './instance.ts';
import { serviceKey } from './kubernetes-service.ts';
import { parseProtocol } from './protocol.ts';
import type { MeshEndpoint, MeshService, MeshServicePort } from './read-model.ts';

type ServiceEntry = ConfigObject<'ServiceEntry'>;

/** One mesh service per host (Istio serviceentry.convertServices). */
export const fromServiceEntry = (entry: ServiceEntry, hostname: string): MeshService => {
  const { spec, namespace } = entry;
  return {
    key: serviceKey(namespace, hostname),
    hostname,
    name: entry.name,
    namespace,
    kind: 'service-entry',
    resolution: resolutionOf(spec.resolution),
    headless: false,
    meshExternal: spec.location === 'MESH_EXTERNAL',
    addresses: spec.addresses,
    ports: spec.ports.map(
      (port): MeshServicePort => ({
        number: port.number,
        name: port.name,
        protocol: parseProtocol(port.protocol) ?? 'auto',
        ...(port.targetPort !== undefined && { targetPort: port.targetPort }),
      }),
    ),
    exportTo: spec.exportTo,
    subjectAltNames: spec.subjectAltNames,
    labels: entry.labels,
    selector: spec.workloadSelector?.labels ?? new Map(),
    ...(entry.creationTime !== undefined && { creationTime: entry.creationTime }),
    objectKey: entry.key,
  };
};

const resolutionOf = (resolution: ServiceEntrySpec['resolution']): MeshService['resolution'] => {
  switch (resolution) {
    case 'STATIC':
      return 'static';
    case 'DNS':
      return 'dns';
    case 'DNS_ROUND_ROBIN':
      return 'dns-round-robin';
    default:
      return 'none';
  }
};

/** Lower case, as every hostname in the registry. */
export const hostnamesOf = (entry: ServiceEntry): readonly string[] => [
  ...new Set(entry.spec.hosts.map((host) => host.toLowerCase().replace(/\.$/, ''))),
];

/** Endpoints written in the ServiceEntry, or its host itself where the name is to be looked up. */
export const writtenEndpoints = (
  entry: ServiceEntry,
  hostname: string,
  port: MeshServicePort,
): readonly MeshEndpoint[] => {
  const { spec, namespace } = entry;
  const numbered = typeof port.targetPort === 'number' ? port.targetPort : port.number;
  const named = spec.resolution === 'DNS' || spec.resolution === 'DNS_ROUND_ROBIN';
  if (spec.endpoints.length === 0 && spec.workloadSelector === undefined && named) {
    return [writtenEndpoint({ ...NO_ENTRY, address: hostname }, numbered, namespace, entry.name)];
  }
  return spec.endpoints
    .filter(({ address }) => address !== '')
    .map((written) => writtenEndpoint(written, written.ports.get(port.name) ?? numbered, namespace, entry.name));
};

const NO_ENTRY: WorkloadEntrySpec = { address: '', ports: new Map(), labels: new Map() };

const writtenEndpoint = (written: WorkloadEntrySpec, port: number, namespace: string, name: string): MeshEndpoint => ({
  ...socketOf(written.address, port),
  health: 'healthy',
  labels: written.labels,
  locality: localityOf(written.locality, written.labels),
  weight: written.weight || 1,
  namespace,
  workload: name,
  ...(written.serviceAccount !== undefined && { serviceAccount: written.serviceAccount }),
  ...(written.network !== undefined && { network: written.network }),
});
