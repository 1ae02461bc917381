import { create } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType } from '@inmesh/sdk/internal/gen/cluster';
import { HealthStatus } from '@inmesh/sdk/internal/gen/core';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  type LbEndpointSchema,
  type LocalityLbEndpointsSchema,
} from '@inmesh/sdk/internal/gen/endpoint';
import type { EndpointLocality, MeshEndpoint, MeshService } from '../../registry/read-model.ts';
import { TLS_MODE_LABEL } from '../../registry/tls-mode.ts';
import { grpcEndpoints } from '../client/endpoints.ts';
import { clusterBasis, endpointsOf } from '../cluster/basis.ts';
import { compareText } from '../names.ts';
import { inboundMode } from '../peer-authentication.ts';
import type { Fields } from '../proto.ts';
import { NO_LOCALITY, type View } from '../view.ts';
import type { World } from '../world.ts';
import { type LocalityGroup, spreadByLocality } from './locality.ts';

const UINT32_MAX = 4_294_967_295;

type LbEndpointInit = Fields<typeof LbEndpointSchema>;
type LocalityInit = Fields<typeof LocalityLbEndpointsSchema>;

const HEALTH: Readonly<Record<MeshEndpoint['health'], HealthStatus>> = {
  healthy: HealthStatus.HEALTHY,
  draining: HealthStatus.DRAINING,
  unhealthy: HealthStatus.UNHEALTHY,
};

/** Endpoints of a cluster by locality; a cluster without any has an empty assignment, and its calls answer 503 UH. */
export const loadAssignment = (world: World, view: View, name: string): ClusterLoadAssignment | undefined => {
  const basis = clusterBasis(world, view, name);
  if (basis === undefined) return undefined;
  const { key, service, subset, spread, type } = basis;
  const chosen =
    type === Cluster_DiscoveryType.LOGICAL_DNS && service.resolution === 'none'
      ? [hostItself(service, key.port)]
      : endpointsOf(world, service, key, subset);
  const taken = view.kind === 'grpc' && type === Cluster_DiscoveryType.EDS ? grpcEndpoints(chosen) : chosen;
  const groups = spreadByLocality(byLocality(withinLimit(taken)), spread, view);
  const endpoints = groups.map((group) => localityEndpoints(world, group));
  return create(ClusterLoadAssignmentSchema, { clusterName: name, endpoints });
};

/** A gRPC client has no other destination than the name it dialled. */
const hostItself = ({ hostname, namespace, name }: MeshService, port: number): MeshEndpoint => ({
  address: hostname,
  port,
  health: 'healthy',
  labels: new Map(),
  locality: NO_LOCALITY,
  weight: 1,
  namespace,
  workload: name,
});

/** In the order of the localities' names; the registry has sorted the endpoints. */
const byLocality = (endpoints: readonly MeshEndpoint[]): readonly LocalityGroup[] => {
  const groups = new Map<string, { locality: EndpointLocality; endpoints: MeshEndpoint[] }>();
  for (const endpoint of endpoints) {
    const { region, zone, subZone } = endpoint.locality;
    const key = `${region}/${zone}/${subZone}`;
    const group = groups.get(key) ?? { locality: endpoint.locality, endpoints: [] };
    group.endpoints.push(endpoint);
    groups.set(key, group);
  }
  return [...groups]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, group]) => ({ ...group, priority: 0, weight: sumOfWeights(group.endpoints) }));
};

/** Envoy LocalityLbEndpoints.load_balancing_weight: the sums must fit 32 bits, whatever each endpoint was given. */
const withinLimit = (endpoints: readonly MeshEndpoint[]): readonly MeshEndpoint[] => {
  const sum = sumOfWeights(endpoints);
  if (sum <= UINT32_MAX) return endpoints;
  const share = (UINT32_MAX - endpoints.length) / sum;
  return endpoints.map((endpoint) => ({ ...endpoint, weight: Math.max(1, Math.floor(endpoint.weight * share)) }));
};

const sumOfWeights = (endpoints: readonly MeshEndpoint[]): number =>
  endpoints.reduce((sum, { weight }) => sum + weight, 0);

const localityEndpoints = (world: World, { locality, endpoints, priority, weight }: LocalityGroup): LocalityInit => ({
  locality: { region: locality.region, zone: locality.zone, subZone: locality.subZone },
  lbEndpoints: endpoints.map((endpoint) => lbEndpoint(world, endpoint)),
  loadBalancingWeight: weight,
  priority,
});

const lbEndpoint = (world: World, endpoint: MeshEndpoint): LbEndpointInit => ({
  hostIdentifier: {
    case: 'endpoint',
    value: {
      address: { address: socketAddress(endpoint) },
      ...(endpoint.hostname ? { hostname: endpoint.hostname } : {}),
    },
  },
  healthStatus: HEALTH[endpoint.health],
  loadBalancingWeight: endpoint.weight,
  metadata: { filterMetadata: { istio: { workload: workloadLabel(endpoint) }, ...transportMatch(world, endpoint) } },
});

/**
 * Which of a cluster's transport sockets this peer understands (Istio AppendLbEndpointMetadata): one that PeerAuthentication
 * keeps from TLS on this port takes none (Istio mtlsChecker).
 */
const transportMatch = (world: World, { namespace, labels, port }: MeshEndpoint) => {
  const label = labels.get(TLS_MODE_LABEL);
  const tlsMode = label && inboundMode(world, { namespace, labels }, port).mode === 'DISABLE' ? undefined : label;
  const tunnels = labels.get('networking.istio.io/tunnel')?.split(',') ?? [];
  const match = {
    ...(tlsMode && tlsMode !== 'disabled' && { tlsMode }),
    ...(tunnels.includes('http') && { tunnel: 'http' }),
  };
  return Object.keys(match).length === 0 ? {} : { 'envoy.transport_socket_match': match };
};

const UNIX = 'unix:';

const socketAddress = ({ address, port }: MeshEndpoint) =>
  address.startsWith(UNIX)
    ? ({ case: 'pipe', value: { path: address.slice(UNIX.length) } } as const)
    : ({ case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } } as const);

/** `name;namespace;app;version;cluster`: who answers, for metrics and explain (Istio EndpointMetadata). */
const workloadLabel = ({ workload, namespace, labels }: MeshEndpoint): string => {
  const app =
    labels.get('service.istio.io/canonical-name') ?? labels.get('app.kubernetes.io/name') ?? labels.get('app');
  const version =
    labels.get('service.istio.io/canonical-revision') ??
    labels.get('app.kubernetes.io/version') ??
    labels.get('version');
  // `latest` is what is meant when nothing is said (Istio kubelabels.CanonicalService).
  return [workload, namespace, app ?? workload, version === 'latest' ? '' : (version ?? ''), CLUSTER].join(';');
};

/** Istio's name of the only cluster. */
const CLUSTER = 'Kubernetes';
