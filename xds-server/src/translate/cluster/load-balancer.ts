import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  type Cluster_SlowStartConfigSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import type { LoadBalancerSettings } from '../../schema/spec/destination-rule.ts';
import { grpcLoadBalancing } from '../client/load-balancing.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import type { View } from '../view.ts';
import { hashing, type LoadBalancing } from './consistent-hash.ts';

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
  if (client === 'grpc') return grpcLoadBalancing(settings);
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
