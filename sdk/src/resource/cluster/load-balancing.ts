import type { Cluster as Message } from '../../../gen/cluster.js';
import { Cluster_RingHashLbConfig_HashFunction as OldHash, Cluster_LbPolicy as Policy } from '../../../gen/cluster.js';
import type { Cluster, LoadBalancer } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { type Hashing, hashing, leastRequest, maglev, ringHash, slowStart } from './balancer-limits.ts';
import { decodeLocalities, decodePolicyList } from './policy-list.ts';

export type LoadBalancing = Pick<Cluster, 'loadBalancer' | 'localityWeighted' | 'failTrafficOnPanic'>;

/** Envoy Cluster.load_balancing_policy where it is given (gRFC A52), else lb_policy with lb_config. */
export function decodeLoadBalancing(message: Message, at: Scope): LoadBalancing {
  const { loadBalancingPolicy, lbPolicy, commonLbConfig } = message;
  const shared = decodeLocalities(commonLbConfig);
  if (loadBalancingPolicy === undefined) return { loadBalancer: decodeOld(message, at), ...shared };
  if (lbPolicy !== Policy.LOAD_BALANCING_POLICY_CONFIG && lbPolicy !== Policy.ROUND_ROBIN) {
    at.at('lb_policy').warn('ignored: load_balancing_policy is given and wins');
  }
  const listed = decodePolicyList(loadBalancingPolicy, at.at('load_balancing_policy'));
  return { ...listed, localityWeighted: listed.localityWeighted || shared.localityWeighted };
}

function decodeOld(message: Message, at: Scope): LoadBalancer {
  const { lbConfig, lbPolicy } = message;
  switch (lbPolicy) {
    case Policy.ROUND_ROBIN: {
      const config = lbConfig.case === 'roundRobinLbConfig' ? lbConfig.value : undefined;
      return { kind: 'round-robin', ...slowStart(config?.slowStartConfig, at.at('round_robin_lb_config')) };
    }
    case Policy.LEAST_REQUEST:
      return leastRequest(
        lbConfig.case === 'leastRequestLbConfig' ? lbConfig.value : {},
        at.at('least_request_lb_config'),
      );
    case Policy.RING_HASH: {
      const config = lbConfig.case === 'ringHashLbConfig' ? lbConfig.value : undefined;
      const isMurmur = config?.hashFunction === OldHash.MURMUR_HASH_2;
      return ringHash(config ?? {}, { ...decodeHashing(message, at), isMurmur }, at.at('ring_hash_lb_config'));
    }
    case Policy.MAGLEV: {
      const config = lbConfig.case === 'maglevLbConfig' ? lbConfig.value : {};
      return maglev(config, decodeHashing(message, at), at.at('maglev_lb_config'));
    }
    case Policy.RANDOM:
    // ORIGINAL_DST clusters bring their own: the host the caller dialled.
    case Policy.CLUSTER_PROVIDED:
      return { kind: 'random' };
    default:
      at.at('lb_policy').error(
        `${lbPolicy}, ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED allowed`,
      );
      return { kind: 'random' };
  }
}

const decodeHashing = ({ commonLbConfig }: Message, at: Scope): Hashing =>
  hashing(commonLbConfig?.consistentHashingLbConfig, at.at('common_lb_config').at('consistent_hashing_lb_config'));
