import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  ClusterSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import { ApiVersion, type ConfigSourceSchema } from '@inmesh/sdk/internal/gen/core';
import type { MeshService } from '../../registry/read-model.ts';
import { clusterCallPolicy, clusterPolicyMetadata, healthChecks } from '../call-policy/cluster.ts';
import { aggregateOf, namesOf } from '../client/aggregate.ts';
import { duration } from '../duration.ts';
import { loadAssignment } from '../endpoint/load-assignment.ts';
import type { MeshSettings } from '../mesh-settings.ts';
import { clusterName } from '../names.ts';
import { configPath } from '../origin.ts';
import { ADS, type Fields } from '../proto.ts';
import { servicePort } from '../service-lookup.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { type ClusterBasis, clusterBasis } from './basis.ts';
import { connectTimeout, httpOptions, tcpKeepalive, thresholds } from './connection-pool.ts';
import { loadBalancing } from './load-balancer.ts';
import { outlierDetection } from './outlier-detection.ts';
import { transportSockets } from './upstream-tls.ts';
import { isWeighable, weightedByLoad } from './weighted-by-load.ts';

/** The cluster of a service, port and subset; undefined = no such cluster, whose calls answer 503 NC. */
export const cluster = (world: World, view: View, name: string): Cluster | undefined => {
  const basis = clusterBasis(world, view, name);
  if (basis === undefined) return undefined;
  const { key, service, type, policy, spread } = basis;
  const mesh = world.mesh();
  const sockets = transportSockets(world, view, basis);
  if (sockets === undefined) return undefined;
  const calls = clusterCallPolicy(world, service.objectKey, view.kind);
  const { connectionPool: pool, loadBalancer, outlierDetection: outlier } = policy;
  const isWeighted = type !== Cluster_DiscoveryType.ORIGINAL_DST && isWeighable(loadBalancer);
  const balancing =
    calls.weightedByLoad && isWeighted
      ? weightedByLoad(calls.weightedByLoad, loadBalancer, spread !== undefined || view.kind === 'grpc')
      : loadBalancing(loadBalancer, type, view.kind);
  return create(ClusterSchema, {
    name,
    ...discovery(world, view, basis),
    connectTimeout: connectTimeout(pool, mesh),
    ...balancing,
    commonLbConfig: {
      // 0 = never spread over hosts that are known to be bad; Envoy's 50 % is for fleets, not for a few pods.
      healthyPanicThreshold: { value: outlier?.minHealthPercent ?? 0 },
      // Envoy refuses it beside a typed policy, which says it itself.
      ...(spread !== undefined && balancing.loadBalancingPolicy === undefined
        ? { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } as const }
        : {}),
    },
    circuitBreakers: { thresholds: [thresholds(pool, policy.retryBudget, view.kind)] },
    ...(outlier && { outlierDetection: outlierDetection(outlier, view.kind) }),
    ...(view.kind !== 'envoy' && mesh.loadReporting ? { lrsServer: SELF } : {}),
    ...tcpKeepalive(pool, mesh),
    ...healthChecks(calls, key.host),
    ...httpOptions(pool, servicePort(service, key.port)?.protocol, calls.keepAlive),
    ...sockets,
    metadata: { filterMetadata: { istio: metadata(basis) }, ...clusterPolicyMetadata(calls, view.kind) },
  });
};

/** Loads are reported to whoever said so (gRFC A27). */
const SELF: Fields<typeof ConfigSourceSchema> = {
  resourceApiVersion: ApiVersion.V3,
  configSourceSpecifier: { case: 'self', value: {} },
};

/** gRPC clients have a resolver of their own (gRFC A37). */
const resolver = (mesh: MeshSettings) => ({
  dnsRefreshRate: duration(mesh.dnsRefreshMs),
  respectDnsTtl: true,
  dnsLookupFamily: Cluster_DnsLookupFamily.ALL,
});

const discovery = (world: World, view: View, basis: ClusterBasis): Fields<typeof ClusterSchema> => {
  const { key, type } = basis;
  const names = namesOf(world, view, basis);
  if (names !== undefined) return { clusterDiscoveryType: aggregateOf(clusterName(key), names) };
  const clusterDiscoveryType = { case: 'type', value: type } as const;
  switch (type) {
    case Cluster_DiscoveryType.EDS:
      return { clusterDiscoveryType, edsClusterConfig: { edsConfig: ADS, serviceName: clusterName(key) } };
    case Cluster_DiscoveryType.ORIGINAL_DST:
      return { clusterDiscoveryType };
    default: {
      const assignment = loadAssignment(world, view, clusterName(key));
      return {
        clusterDiscoveryType,
        ...(assignment && { loadAssignment: assignment }),
        ...(view.kind === 'grpc' ? {} : resolver(world.mesh())),
      };
    }
  }
};

const metadata = ({ key, service, rule }: ClusterBasis) => ({
  ...(rule && { config: configPath(rule.rule) }),
  ...(service.meshExternal ? { external: true } : {}),
  services: [serviceMetadata(service)],
  ...(key.subset === '' ? {} : { subset: key.subset }),
});

const serviceMetadata = ({ hostname, name, namespace }: MeshService) => ({ host: hostname, name, namespace });
