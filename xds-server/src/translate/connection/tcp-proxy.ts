import {
  type FilterSchema,
  type TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxySchema,
} from '@inmesh/sdk/internal/gen/listener';
import type { RouteDestination } from '../../schema/spec/virtual-service.ts';
import { duration } from '../duration.ts';
import { type Fields, packAny } from '../proto.ts';
import { NO_CLUSTER } from '../route/action.ts';
import { type ResolvedDestination, type RouteScope, resolveDestination } from '../route/destination.ts';

type FilterInit = Fields<typeof FilterSchema>;
type ClusterSpecifier = NonNullable<Fields<typeof TcpProxySchema>['clusterSpecifier']>;

const TCP_PROXY = 'envoy.filters.network.tcp_proxy';

/** Connections go where the route says: a single destination whatever it weighs, else by weight (Istio buildOutboundNetworkFilters). */
export const tcpProxy = (scope: RouteScope, destinations: readonly RouteDestination[]): FilterInit => {
  const resolved = destinations.map(({ destination }) => resolveDestination(scope, destination));
  const [first] = resolved;
  // As Istio: the settings of the first destination's rule hold for all of them.
  const idleTimeout = first?.policy.connectionPool?.tcp?.idleTimeout;
  const hashed = first?.policy.loadBalancer?.consistentHash?.useSourceIp === true;
  return {
    name: TCP_PROXY,
    configType: {
      case: 'typedConfig',
      value: packAny(TcpProxySchema, {
        clusterSpecifier: clusterSpecifier(destinations, resolved),
        ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
        ...(hashed ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
      }),
    },
  };
};

const clusterSpecifier = (
  destinations: readonly RouteDestination[],
  resolved: readonly ResolvedDestination[],
): ClusterSpecifier => {
  if (destinations.length === 1) return { case: 'cluster', value: resolved[0]?.cluster ?? NO_CLUSTER };
  const clusters = destinations.flatMap(
    ({ weight }, index): Fields<typeof TcpProxy_WeightedCluster_ClusterWeightSchema>[] =>
      weight ? [{ name: resolved[index]?.cluster ?? NO_CLUSTER, weight }] : [],
  );
  if (clusters.length === 0) return { case: 'cluster', value: NO_CLUSTER };
  return { case: 'weightedClusters', value: { clusters } };
};
