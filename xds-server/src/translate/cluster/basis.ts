import { Cluster_DiscoveryType } from '@inmesh/sdk/internal/gen/cluster';
import type { MeshEndpoint, MeshService } from '../../registry/read-model.ts';
import type { Subset } from '../../schema/spec/destination-rule.ts';
import { destinationRuleFor, type MergedRule } from '../destination-rule-lookup.ts';
import { type Spread, spreadOf } from '../endpoint/locality.ts';
import { isLabelled } from '../endpoint/topology.ts';
import { type ClusterKey, isWildcard, parseClusterName } from '../names.ts';
import { selectService, servicePort } from '../service-lookup.ts';
import { type EffectivePolicy, effectivePolicy } from '../traffic-policy.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { isPassthrough } from './load-balancer.ts';

/** What a cluster and its endpoints are both made from. */
export interface ClusterBasis {
  readonly key: ClusterKey;
  readonly service: MeshService;
  readonly rule: MergedRule | undefined;
  /** undefined: the whole service. */
  readonly subset: Subset | undefined;
  readonly policy: EffectivePolicy;
  readonly type: Cluster_DiscoveryType;
  readonly spread: Spread | undefined;
}

/** Endpoints of the cluster, healthy or not. */
export const endpointsOf = (
  world: World,
  service: MeshService,
  { port }: ClusterKey,
  subset: Subset | undefined,
): readonly MeshEndpoint[] => {
  const all = world.endpoints(service.key, port);
  return subset === undefined ? all : all.filter((endpoint) => isLabelled(endpoint, subset.labels));
};

export const clusterBasis = (world: World, view: View, name: string): ClusterBasis | undefined => {
  const key = parseClusterName(name);
  const service = key && selectService(world, view, key.host);
  if (key === undefined || service === undefined || servicePort(service, key.port) === undefined) return undefined;
  const rule = destinationRuleFor(world, view, key.host, service.namespace);
  const subset = rule?.subsets.get(key.subset);
  if (key.subset !== '' && subset === undefined) return undefined;
  const policy = effectivePolicy(rule, key.subset, key.port);
  const type = view.kind === 'grpc' ? grpcDiscoveryType(world, service, key, subset) : discoveryType(service, policy);
  // One name is at no place: whoever is left without it refuses the cluster, Envoy and gRPC alike.
  const isOneName = type === Cluster_DiscoveryType.LOGICAL_DNS;
  const spread = isOneName ? undefined : spreadOf(policy, service, world.mesh());
  return type === undefined ? undefined : { key, service, rule, subset, policy, type, spread };
};

/** Static endpoints come by EDS too, so a change of one does not re-make the cluster. */
const discoveryType = ({ resolution }: MeshService, { loadBalancer }: EffectivePolicy): Cluster_DiscoveryType => {
  if (isPassthrough(loadBalancer)) return Cluster_DiscoveryType.ORIGINAL_DST;
  switch (resolution) {
    case 'none':
      return Cluster_DiscoveryType.ORIGINAL_DST;
    case 'dns':
      return Cluster_DiscoveryType.STRICT_DNS;
    case 'dns-round-robin':
      return Cluster_DiscoveryType.LOGICAL_DNS;
    default:
      return Cluster_DiscoveryType.EDS;
  }
};

/**
 * gRPC clients know EDS of addresses and LOGICAL_DNS of one name (gRFC A37), and refuse every other type; several names are an
 * aggregate of such clusters. Where the caller goes is the name it calls, unless it is a wildcard.
 */
const grpcDiscoveryType = (
  world: World,
  service: MeshService,
  key: ClusterKey,
  subset: Subset | undefined,
): Cluster_DiscoveryType | undefined => {
  switch (service.resolution) {
    case 'none':
      if (isWildcard(service.hostname)) return undefined;
      // The name itself has no labels.
      return subset === undefined || subset.labels.size === 0
        ? Cluster_DiscoveryType.LOGICAL_DNS
        : Cluster_DiscoveryType.EDS;
    case 'dns':
    case 'dns-round-robin':
      return endpointsOf(world, service, key, subset).length === 1
        ? Cluster_DiscoveryType.LOGICAL_DNS
        : Cluster_DiscoveryType.EDS;
    default:
      return Cluster_DiscoveryType.EDS;
  }
};
