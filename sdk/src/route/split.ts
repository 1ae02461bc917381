import { drawModulo } from '../match/fraction.ts';
import type { ForwardAction, WeightedCluster } from '../model/action.ts';
import type { CompiledForward } from './table.ts';

/**
 * Envoy WeightedClusterSpecifierPlugin: the draw modulo the sum of the weights falls into one cluster's interval, in the
 * order of the configuration. undefined only for an action without a cluster or without any weight.
 */
export function chooseCluster(
  action: Pick<CompiledForward, 'clusters' | 'totalWeight'>,
  draw: number,
): WeightedCluster | undefined {
  const { clusters, totalWeight } = action;
  const only = clusters[0];
  if (clusters.length === 1) return only;
  if (totalWeight === 0) return undefined;
  let left = drawModulo(draw, totalWeight);
  for (let i = 0; i < clusters.length; i++) {
    const cluster = clusters[i];
    if (cluster === undefined || left < cluster.weight) return cluster;
    left -= cluster.weight;
  }
  return undefined;
}

export interface SplitRange {
  readonly cluster: string;
  readonly weight: number;
  /** First and last draw (modulo the sum) that choose it; undefined for a weight of 0. */
  readonly range: readonly [first: number, last: number] | undefined;
}

/** The intervals of `chooseCluster`, for explain. */
export function splitRanges(action: ForwardAction): readonly SplitRange[] {
  let start = 0;
  return action.clusters.map(({ name, weight }) => {
    const first = start;
    start += weight;
    return { cluster: name, weight, range: weight === 0 ? undefined : [first, start - 1] };
  });
}
