import type { WeightedCluster_ClusterWeight, WeightedCluster as WeightedClusterMessage } from '../../../gen/route.js';
import type { WeightedCluster } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';
import { decodeRequestHeaders, decodeResponseHeaders, NO_MUTATION } from './header-mutation.ts';

const UINT32_MAX = 4_294_967_295;

export const soleCluster = (name: string, at: Scope): WeightedCluster => ({
  name: required(name, at),
  weight: 1,
  requestHeaders: NO_MUTATION,
  responseHeaders: NO_MUTATION,
});

/** Envoy config.route.v3.WeightedCluster: the weights' sum is what counts, total_weight is obsolete. */
export function decodeWeightedClusters(message: WeightedClusterMessage, at: Scope): WeightedCluster[] {
  const clusters = message.clusters.map((cluster, index) => decodeWeight(cluster, at.at('clusters').at(index)));
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (total < 1 || total > UINT32_MAX) at.error(`the weights' sum is ${total}, 1 to ${UINT32_MAX} allowed`);
  return clusters;
}

function decodeWeight(message: WeightedCluster_ClusterWeight, at: Scope): WeightedCluster {
  const { weight, hostRewriteSpecifier } = message;
  if (weight === undefined) at.at('weight').error('missing, a weight is required');
  return {
    name: message.clusterHeader === '' ? required(message.name, at.at('name')) : message.name,
    weight: weight ?? 0,
    ...(hostRewriteSpecifier.case === 'hostRewriteLiteral' && { hostRewrite: hostRewriteSpecifier.value }),
    requestHeaders: decodeRequestHeaders(message, at),
    responseHeaders: decodeResponseHeaders(message, at),
  };
}
