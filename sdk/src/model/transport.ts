import type { Cluster, Endpoint, LoadAssignment } from './cluster.ts';
import type { UpstreamTls } from './tls.ts';

/**
 * How an endpoint is spoken to; undefined: in clear. The first of the cluster's transports that its metadata fits decides,
 * else the cluster's own (Envoy TransportSocketMatcherImpl::resolve).
 */
export function transportOf(
  { tls, transportMatches }: Pick<Cluster, 'tls' | 'transportMatches'>,
  endpoint: Pick<Endpoint, 'transportMatch'>,
): UpstreamTls | undefined {
  if (transportMatches === undefined) return tls;
  for (const { match, tls: own } of transportMatches) if (fits(match, endpoint.transportMatch)) return own;
  return tls;
}

function fits(match: ReadonlyMap<string, string>, labels: Endpoint['transportMatch']): boolean {
  for (const [key, value] of match) if (labels?.get(key) !== value) return false;
  return true;
}

/** Every way of TLS that a cluster names, whoever is spoken to by it. */
export function transportsOf({ tls, transportMatches = [] }: Pick<Cluster, 'tls' | 'transportMatches'>): UpstreamTls[] {
  return [tls, ...transportMatches.map((match) => match.tls)].filter((one) => one !== undefined);
}

/** Those by which some endpoint is spoken to. */
export function transportsInUse(cluster: Cluster, assignment: LoadAssignment | undefined): ReadonlySet<UpstreamTls> {
  if (cluster.transportMatches === undefined) return new Set(cluster.tls === undefined ? [] : [cluster.tls]);
  const used = new Set<UpstreamTls>();
  const seen = new Set<Endpoint['transportMatch']>();
  for (const { endpoints } of assignment?.localities ?? []) {
    for (const endpoint of endpoints) {
      if (seen.has(endpoint.transportMatch)) continue;
      // Endpoints that say the same share what says it.
      seen.add(endpoint.transportMatch);
      const tls = transportOf(cluster, endpoint);
      if (tls !== undefined) used.add(tls);
    }
  }
  return used;
}
