import type { PortPolicy, TrafficPolicy } from '../schema/spec/destination-rule.ts';
import type { Relevance } from './view.ts';
import type { DestinationRule, VirtualService } from './world.ts';

/** What any rule looks at in a client; everything else about it cannot make its configuration different. */
export const relevanceOf = (
  virtualServices: Iterable<VirtualService>,
  destinationRules: Iterable<DestinationRule>,
): Relevance => {
  const labelKeys = new Set<string>();
  for (const { spec } of virtualServices) {
    for (const { match } of spec.http) {
      for (const { sourceLabels } of match) for (const key of sourceLabels.keys()) labelKeys.add(key);
    }
  }
  let locality = false;
  for (const { spec } of destinationRules) {
    for (const key of spec.workloadSelector?.matchLabels.keys() ?? []) labelKeys.add(key);
    for (const policy of policiesOf([spec.trafficPolicy, ...spec.subsets.map((subset) => subset.trafficPolicy)])) {
      const setting = policy.loadBalancer?.localityLbSetting;
      locality ||= policy.outlierDetection !== undefined || (setting?.distribute.length ?? 0) > 0;
      for (const entry of setting?.failoverPriority ?? []) if (!entry.includes('=')) labelKeys.add(entry);
    }
  }
  return { labelKeys, locality };
};

function* policiesOf(policies: readonly (TrafficPolicy | undefined)[]): Generator<PortPolicy> {
  for (const policy of policies) {
    if (policy === undefined) continue;
    yield policy;
    yield* policy.portLevelSettings;
  }
}

export const sameRelevance = (a: Relevance, b: Relevance): boolean =>
  a.locality === b.locality && a.labelKeys.size === b.labelKeys.size && a.labelKeys.isSubsetOf(b.labelKeys);
