import { Cluster_LbPolicy, LeastRequestSchema } from '@inmesh/sdk/internal/gen/cluster';
import type { LoadBalancerSettings } from '../../schema/spec/destination-rule.ts';
import { hashing, type LoadBalancing } from '../cluster/consistent-hash.ts';
import { byLocality, policy, withRoundRobin } from './policy-list.ts';

/**
 * Go and Java know least request; C-core and grpc-js refuse a cluster whose enum says so and take the next of a list (gRFC A48, A52).
 * All refuse random and Maglev. Ring hash goes by the enum: grpc-js refuses a typed one with sizes.
 */
export const grpcLoadBalancing = (settings: LoadBalancerSettings | undefined): LoadBalancing => {
  const hash = settings?.consistentHash;
  if (hash !== undefined) {
    const { maglev: _, ...ring } = hash;
    return hashing(ring);
  }
  // The enum is for clients that are older than lists.
  const roundRobin = { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN };
  const simple = settings?.simple;
  if (simple === 'ROUND_ROBIN' || simple === 'RANDOM') return roundRobin;
  return { ...roundRobin, loadBalancingPolicy: LEAST_REQUEST };
};

const LEAST_REQUEST = byLocality(withRoundRobin(policy(LeastRequestSchema, {})));
