import { ClientSideWeightedRoundRobinSchema, Cluster_LbPolicy } from '@inmesh/sdk/internal/gen/cluster';
import type { WeightedByLoad } from '../../schema/spec/call-policy.ts';
import type { LoadBalancerSettings } from '../../schema/spec/destination-rule.ts';
import { byLocality, policy, withRoundRobin } from '../client/policy-list.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import type { LoadBalancing } from './consistent-hash.ts';

type Weighted = Fields<typeof ClientSideWeightedRoundRobinSchema>;

/** Calls of one user go to one host, or where the caller goes: neither is weighted. */
export const isWeighable = (settings: LoadBalancerSettings | undefined): boolean =>
  settings?.consistentHash === undefined && settings?.simple !== 'PASSTHROUGH';

/**
 * Client-side weighted round robin (gRFC A58) with round robin behind it for whoever has none: an older client, grpc-js without its
 * environment variable. Weights of localities count where they are meant, and always for gRPC clients, as by the enum.
 */
export const weightedByLoad = (
  written: WeightedByLoad,
  settings: LoadBalancerSettings | undefined,
  hasLocalities: boolean,
): LoadBalancing => {
  const list = withRoundRobin(
    policy(ClientSideWeightedRoundRobinSchema, { ...weighted(written), ...warmup(settings) }),
  );
  return {
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    loadBalancingPolicy: hasLocalities ? byLocality(list) : list,
  };
};

const weighted = (written: WeightedByLoad): Weighted => {
  const { outOfBandPeriod, blackoutPeriod, weightExpirationPeriod, weightUpdatePeriod, errorUtilizationPenalty } =
    written;
  return {
    ...(outOfBandPeriod === undefined
      ? {}
      : { enableOobLoadReport: true, oobReportingPeriod: duration(outOfBandPeriod) }),
    ...(blackoutPeriod === undefined ? {} : { blackoutPeriod: duration(blackoutPeriod) }),
    ...(weightExpirationPeriod === undefined ? {} : { weightExpirationPeriod: duration(weightExpirationPeriod) }),
    ...(weightUpdatePeriod === undefined ? {} : { weightUpdatePeriod: duration(weightUpdatePeriod) }),
    ...(errorUtilizationPenalty === undefined ? {} : { errorUtilizationPenalty }),
    metricNamesForComputingUtilization: [...written.utilizationMetrics],
  };
};

const warmup = (settings: LoadBalancerSettings | undefined): Pick<Weighted, 'slowStartConfig'> => {
  const window = settings?.warmup?.duration ?? settings?.warmupDurationSecs;
  if (window === undefined) return {};
  const { minimumPercent, aggression } = settings?.warmup ?? {};
  return {
    slowStartConfig: {
      slowStartWindow: duration(window),
      ...(minimumPercent === undefined ? {} : { minWeightPercent: { value: minimumPercent } }),
      ...(aggression === undefined ? {} : { aggression: { defaultValue: aggression } }),
    },
  };
};
