import type { EndpointLocality, MeshEndpoint, MeshService } from '../../registry/read-model.ts';
import type { LocalityLoadBalancer } from '../../schema/spec/destination-rule.ts';
import type { MeshSettings } from '../mesh-settings.ts';
import type { EffectivePolicy } from '../traffic-policy.ts';
import type { View } from '../view.ts';
import { labelOf } from './topology.ts';

/** Endpoints of one locality, or of one label rank in it. */
export interface LocalityGroup {
  readonly locality: EndpointLocality;
  readonly endpoints: readonly MeshEndpoint[];
  readonly priority: number;
  readonly weight: number;
}

/** How calls spread over localities; undefined = without regard to them. */
export type Spread = LocalityLoadBalancer | 'near first';

/**
 * Kubernetes: the client's zone, then its region (KEP-4444; KEP-3015 has the newer names). Which node a client is on is not
 * known: PreferSameNode is as near as that gets.
 */
const NEAR_FIRST: ReadonlySet<string | undefined> = new Set(['preferclose', 'prefersamezone', 'prefersamenode']);

/**
 * The rule decides, else the service's trafficDistribution, else the mesh (Istio GetLocalityLbSetting). Failover without
 * outlier detection would never leave the first priority, so Istio makes none; a service that asks for it gets it.
 */
export const spreadOf = (policy: EffectivePolicy, service: MeshService, mesh: MeshSettings): Spread | undefined => {
  const written = policy.loadBalancer?.localityLbSetting;
  if (written === undefined && NEAR_FIRST.has(service.trafficDistribution?.toLowerCase())) return 'near first';
  const setting = written ?? mesh.localityLbSetting;
  if (setting === undefined || setting.enabled === false) return undefined;
  return policy.outlierDetection !== undefined || setting.distribute.length > 0 ? setting : undefined;
};

/** Weights or priorities by where the client is (Istio ApplyLocalityLoadBalancer). */
export const spreadByLocality = (
  groups: readonly LocalityGroup[],
  setting: Spread | undefined,
  view: View,
): readonly LocalityGroup[] => {
  if (setting === undefined) return groups;
  if (setting === 'near first') return compact(byZone(groups, view.locality));
  if (setting.distribute.length > 0) return distribute(groups, setting, view.locality);
  if (setting.failoverPriority.length > 0) {
    const ranked = groups.flatMap((group) => byLabels(group, setting.failoverPriority, view));
    return compact(setting.failover.length > 0 ? byDistance(ranked, setting, view.locality) : ranked);
  }
  return compact(byDistance(groups, setting, view.locality));
};

/** `region/zone/*`, `region`, `*`: a pattern covers a locality level by level. */
const localityMatches = (pattern: string, { region, zone, subZone }: EndpointLocality): boolean => {
  if (pattern === '*') return true;
  const actual = [region, zone, subZone];
  const wanted = pattern.split('/');
  for (const [level, name] of wanted.entries()) {
    if (name === '*') return true;
    if (name !== actual[level]) return false;
  }
  return true;
};

/** The entry for the client's locality shares its percentages out; localities it does not name get nothing. */
const distribute = (
  groups: readonly LocalityGroup[],
  setting: LocalityLoadBalancer,
  client: EndpointLocality,
): readonly LocalityGroup[] => {
  const entry = setting.distribute.find(({ from }) => localityMatches(from, client));
  if (entry === undefined) return groups;
  const weights = new Map<LocalityGroup, number>();
  // The more exact pattern first, so that `*` takes what is left (Go's map order leaves this open in Istio).
  const shares = [...entry.to].sort(([a], [b]) => b.split('/').length - a.split('/').length || (a < b ? 1 : -1));
  for (const [pattern, share] of shares) {
    const covered = groups.filter((group) => !weights.has(group) && localityMatches(pattern, group.locality));
    const total = covered.reduce((sum, { weight }) => sum + weight, 0);
    for (const group of covered) weights.set(group, Math.ceil((group.weight * share) / total));
  }
  return groups.flatMap((group) => {
    const weight = weights.get(group);
    return weight ? [{ ...group, weight }] : [];
  });
};

const byZone = (groups: readonly LocalityGroup[], client: EndpointLocality): readonly LocalityGroup[] =>
  groups.map((group) => ({ ...group, priority: Math.max(0, distance(client, group.locality) - 1) }));

/** 0 same sub-zone, 1 zone, 2 region, 3 elsewhere, 4 elsewhere and not where this region fails over to. */
const byDistance = (
  groups: readonly LocalityGroup[],
  setting: LocalityLoadBalancer,
  client: EndpointLocality,
): readonly LocalityGroup[] => {
  // A client that does not know where it is has no neighbours.
  if (client.region === '') return groups;
  const target = setting.failover.find(({ from }) => from === client.region)?.to;
  return groups.map((group) => {
    const near = distance(client, group.locality);
    const far = near === 3 && target !== undefined && group.locality.region !== target ? 4 : near;
    return { ...group, priority: group.priority * 5 + far };
  });
};

const distance = (client: EndpointLocality, { region, zone, subZone }: EndpointLocality): number => {
  if (client.region !== region) return 3;
  if (client.zone !== zone) return 2;
  return client.subZone === subZone ? 0 : 1;
};

/** One group for each number of leading labels that match, the most first; `key=value` stands for the client's value. */
const byLabels = (group: LocalityGroup, priorities: readonly string[], client: View): readonly LocalityGroup[] => {
  const ranks = new Map<number, MeshEndpoint[]>();
  for (const endpoint of group.endpoints) {
    const differs = priorities.findIndex((entry) => {
      const [key = '', value = labelOf(client, key) ?? ''] = entry.split('=');
      return (labelOf(endpoint, key) ?? '') !== value;
    });
    const rank = differs === -1 ? 0 : priorities.length - differs;
    ranks.set(rank, [...(ranks.get(rank) ?? []), endpoint]);
  }
  return [...ranks]
    .sort(([a], [b]) => a - b)
    .map(([priority, endpoints]) => ({
      locality: group.locality,
      endpoints,
      priority,
      weight: endpoints.reduce((sum, { weight }) => sum + weight, 0),
    }));
};

/** Priorities 0..n without gaps, as Envoy asks. */
const compact = (groups: readonly LocalityGroup[]): readonly LocalityGroup[] => {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority) }));
};
