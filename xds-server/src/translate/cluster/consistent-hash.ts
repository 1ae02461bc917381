import { Cluster_LbPolicy, type ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { defaultOf } from '../../defaults.ts';
import type { ConsistentHash } from '../../schema/spec/destination-rule.ts';
import type { Fields } from '../proto.ts';

export type LoadBalancing = Pick<Fields<typeof ClusterSchema>, 'lbPolicy' | 'lbConfig' | 'loadBalancingPolicy'>;

/** Istio ApplyRingHashLoadBalancer: no ringHash block → a minimum of 1024; an empty one → none sent. */
export const hashing = (hash: ConsistentHash): LoadBalancing => {
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
