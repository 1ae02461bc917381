import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  type Cluster_SlowStartConfigSchema,
  type ClusterSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import { defaultOf } from '../../defaults.ts';
import type { ConsistentHash, LoadBalancerSettings } from '../../schema/spec/destination-rule.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import type { View } from '../view.ts';

type ClusterInit = Fields<typeof ClusterSchema>;
export type LoadBalancing = Pick<ClusterInit, 'lbPolicy' | 'lbConfig'>;

/** The cluster goes where the caller goes, whatever its service says. */
export const isPassthrough = (settings: LoadBalancerSettings | undefined): boolean =>
  settings?.simple === 'PASSTHROUGH' && settings.consistentHash === undefined;

/** Istio applyLoadBalancer; least request is Istio's default, round robin Envoy's. */
export const loadBalancing = (
  settings: LoadBalancerSettings | undefined,
  type: Cluster_DiscoveryType,
  client: View['kind'],
): LoadBalancing => {
  if (type === Cluster_DiscoveryType.ORIGINAL_DST) return { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  if (client === 'grpc') return grpcLoadBalancing(settings?.consistentHash);
  if (settings?.consistentHash !== undefined) return hashing(settings.consistentHash);
  switch (settings?.simple) {
    case 'RANDOM':
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    case 'ROUND_ROBIN':
      return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN, ...warmup('roundRobinLbConfig', settings) };
    default:
      return { lbPolicy: Cluster_LbPolicy.LEAST_REQUEST, ...warmup('leastRequestLbConfig', settings) };
  }
};

/**
 * gRPC clients know round robin and ring hash in common: C-core and grpc-js refuse a cluster with least request, all of
 * them one with random or Maglev (gRFC A42, A48). Istio's grpcgen sends round robin for what they do not know.
 */
const grpcLoadBalancing = (hash: ConsistentHash | undefined): LoadBalancing => {
  if (hash === undefined) return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN };
  const { maglev: _, ...ring } = hash;
  return hashing(ring);
};

/** Istio ApplyRingHashLoadBalancer: no ringHash block → a minimum of 1024; an empty one → none sent. */
const hashing = (hash: ConsistentHash): LoadBalancing => {
  if (hash.maglev !== undefined) {
    const { tableSize } = hash.maglev;
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      ...(tableSize ? { lbConfig: { case: 'maglevLbConfig', value: { tableSize: BigInt(tableSize) } } as const } : {}),
    };
  }
  const written = hash.ringHash === undefined ? hash.minimumRingSize : hash.ringHash.minimumRingSize;
  const minimumRingSize = written
    ? BigInt(written)
    : hash.ringHash === undefined
      ? BigInt(defaultOf('minimumRingSize'))
      : undefined;
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    ...(minimumRingSize === undefined
      ? {}
      : { lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize } } as const }),
  };
};

/** `warmup`, or the older `warmupDurationSecs`, as Envoy's slow start. */
const warmup = (
  kind: 'roundRobinLbConfig' | 'leastRequestLbConfig',
  settings: LoadBalancerSettings | undefined,
): Pick<LoadBalancing, 'lbConfig'> => {
  const window = settings?.warmup?.duration ?? settings?.warmupDurationSecs;
  if (window === undefined) return {};
  const { minimumPercent, aggression } = settings?.warmup ?? {};
  const slowStartConfig: Fields<typeof Cluster_SlowStartConfigSchema> = {
    slowStartWindow: duration(window),
    ...(minimumPercent === undefined ? {} : { minWeightPercent: { value: minimumPercent } }),
    ...(aggression === undefined ? {} : { aggression: { defaultValue: aggression } }),
  };
  return { lbConfig: { case: kind, value: { slowStartConfig } } };
};
