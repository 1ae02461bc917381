/** Hosts that share a part of the traffic: one locality, or all hosts of a priority. */
export interface WeightGroup<H> {
  readonly weight: number;
  readonly hosts: readonly H[];
}

/** Every host's share of its priority's traffic; shares add up to 1. */
export interface NormalisedWeights<H> {
  readonly hosts: readonly H[];
  readonly shares: Float64Array;
  readonly smallest: number;
  readonly largest: number;
}

/**
 * Shares as Envoy's ring and Maglev balancers compute them. The order of the operations is part of the contract:
 * another rounding would give another ring. A group of weight 0 is left out; if all are 0, nothing is left.
 */
export function normaliseWeights<H extends { readonly weight: number }>(
  groups: readonly WeightGroup<H>[],
): NormalisedWeights<H> {
  const total = groups.reduce((sum, group) => sum + group.weight, 0);
  const weighted = groups.filter((group) => group.weight > 0);
  const hosts = weighted.flatMap((group) => group.hosts);
  const shares = new Float64Array(hosts.length);
  let smallest = 1;
  let largest = 0;
  let at = 0;
  for (const group of weighted) {
    const groupShare = group.weight / total;
    const sum = group.hosts.reduce((weight, host) => weight + host.weight, 0);
    for (const host of group.hosts) {
      const share = (host.weight * groupShare) / sum;
      shares[at++] = share;
      smallest = Math.min(smallest, share);
      largest = Math.max(largest, share);
    }
  }
  return { hosts, shares, smallest, largest };
}
