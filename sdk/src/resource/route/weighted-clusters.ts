import type { WeightedCluster_ClusterWeight, WeightedCluster as WeightedClusterMessage } from '../../../gen/route.js';
import type { ForwardAction, WeightedCluster } from '../../model/action.ts';
import { decodeList } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { headerName, required } from '../values.ts';
import { decodeRequestHeaders, decodeResponseHeaders, NO_MUTATION } from './header-mutation.ts';
import { decodePerFilter } from './inherited.ts';

const UINT32_MAX = 4_294_967_295;

export const soleCluster = (name: string, at: Scope): WeightedCluster => ({
  name: sharedName(required(name, at)),
  weight: 1,
  requestHeaders: NO_MUTATION,
  responseHeaders: NO_MUTATION,
});

/** Envoy config.route.v3.WeightedCluster: the weights' sum is what counts, total_weight is obsolete. */
export function decodeWeightedClusters(message: WeightedClusterMessage, at: Scope): readonly WeightedCluster[] {
  const clusters = decodeList(message.clusters, at.at('clusters'), decodeWeight);
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (total < 1 || total > UINT32_MAX) at.error(`the weights' sum is ${total}, 1 to ${UINT32_MAX} allowed`);
  return clusters;
}

/** Where the number comes from that chooses among them. */
export function decodeSplit(
  { randomValueSpecifier: random, runtimeKeyPrefix }: WeightedClusterMessage,
  at: Scope,
): Pick<ForwardAction, 'splitBy' | 'runtimeKeyPrefix'> {
  return {
    ...(random.case === 'headerName' && {
      splitBy: { kind: 'header', name: headerName(random.value, at.at('header_name')) },
    }),
    ...(random.case === 'useHashPolicy' && random.value && { splitBy: { kind: 'hash-policies' } }),
    ...(runtimeKeyPrefix !== '' && { runtimeKeyPrefix }),
  };
}

function decodeWeight(message: WeightedCluster_ClusterWeight, at: Scope): WeightedCluster {
  const { weight, hostRewriteSpecifier, clusterHeader } = message;
  if (weight === undefined) at.at('weight').error('missing, a weight is required');
  return {
    name: clusterHeader === '' ? sharedName(required(message.name, at.at('name'))) : message.name,
    ...(clusterHeader !== '' && { clusterHeader: headerName(clusterHeader, at.at('cluster_header')) }),
    weight: weight ?? 0,
    ...(hostRewriteSpecifier.case === 'hostRewriteLiteral' && { hostRewrite: hostRewriteSpecifier.value }),
    requestHeaders: decodeRequestHeaders(message, at),
    responseHeaders: decodeResponseHeaders(message, at),
    ...decodePerFilter(message.typedPerFilterConfig, {}, at),
  };
}
