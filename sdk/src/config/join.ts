import type { ConnectionTable } from '../model/l4.ts';
import type { RouteConfiguration } from '../model/route.ts';
import type { ClusterState, TargetConfig } from '../model/target.ts';

/** Every cluster that a route names: destinations and mirrors. A `cluster_header` names its cluster only at the call. */
export function clustersOf(routes: RouteConfiguration): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { action } of routes.virtualHosts.flatMap((host) => host.routes)) {
    if (action.kind !== 'forward') continue;
    for (const { name } of action.clusters) names.add(name);
    for (const { cluster } of action.mirrors) names.add(cluster);
    names.delete('');
  }
  return names;
}

/** Every cluster that a filter chain sends connections to. */
export function connectionClustersOf(table: ConnectionTable | undefined): readonly string[] {
  const chains = [...(table?.chains ?? []), ...(table?.fallback ? [table.fallback] : [])];
  return chains.flatMap(({ clusters }) => clusters.map(({ cluster }) => cluster));
}

export interface Parts extends Omit<TargetConfig, 'clusters'> {
  /** Names of the clusters that make it whole. */
  readonly needed: Iterable<string>;
  /** undefined: not known yet. */
  readonly cluster: (name: string) => ClusterState | undefined;
}

export type Joined =
  | { readonly kind: 'complete'; readonly config: TargetConfig }
  | { readonly kind: 'waiting'; readonly for: readonly string[] };

/** One consistent value or none (gRFC A74): a route never names a cluster that is not in it. */
export function join({ target, listener, routeConfiguration, needed, cluster }: Parts): Joined {
  const clusters = new Map<string, ClusterState>();
  const missing: string[] = [];
  for (const name of needed) {
    const state = cluster(name);
    if (state === undefined) missing.push(name);
    else clusters.set(name, state);
  }
  if (missing.length > 0) return { kind: 'waiting', for: missing };
  return { kind: 'complete', config: { target, listener, routeConfiguration, clusters } };
}

/** What differs, in a word for people; undefined when nothing does. */
export function difference(before: TargetConfig | undefined, after: TargetConfig): string | undefined {
  if (before === undefined) return 'first configuration';
  const parts: string[] = [];
  if (before.listener !== after.listener) parts.push('listener');
  if (before.routeConfiguration !== after.routeConfiguration) parts.push('routes');
  for (const [name, state] of after.clusters) if (before.clusters.get(name) !== state) parts.push(name);
  for (const name of before.clusters.keys()) if (!after.clusters.has(name)) parts.push(`${name} gone`);
  return parts.length > 0 ? parts.join(', ') : undefined;
}
