import type { PortPolicy, TrafficPolicy } from '../schema/spec/destination-rule.ts';
import type { MeshSettings } from './mesh-settings.ts';
import type { Relevance } from './view.ts';
import type { DestinationRule, PeerAuthentication, Sidecar, VirtualService } from './world.ts';

interface RelevantRules {
  readonly virtualServices: Iterable<VirtualService>;
  readonly destinationRules: Iterable<DestinationRule>;
  readonly sidecars: Iterable<Sidecar>;
  readonly peerAuthentications: Iterable<PeerAuthentication>;
  readonly mesh: MeshSettings;
}

/** What any rule looks at in a client; everything else about it cannot make its configuration different. */
export const relevanceOf = (rules: RelevantRules): Relevance => {
  const { virtualServices, destinationRules, sidecars, peerAuthentications, mesh } = rules;
  const labelKeys = new Set<string>(keysWithoutValue(mesh.localityLbSetting?.failoverPriority));
  for (const { spec } of sidecars) for (const key of spec.workloadSelector?.labels.keys() ?? []) labelKeys.add(key);
  for (const { spec } of peerAuthentications) {
    for (const key of spec.selector?.matchLabels.keys() ?? []) labelKeys.add(key);
  }
  for (const { spec } of virtualServices) {
    for (const { match } of [...spec.http, ...spec.tls, ...spec.tcp]) {
      for (const { sourceLabels } of match) for (const key of sourceLabels.keys()) labelKeys.add(key);
    }
  }
  for (const { spec } of destinationRules) {
    for (const key of spec.workloadSelector?.matchLabels.keys() ?? []) labelKeys.add(key);
    for (const policy of policiesOf([spec.trafficPolicy, ...spec.subsets.map((subset) => subset.trafficPolicy)])) {
      const priorities = policy.loadBalancer?.localityLbSetting?.failoverPriority;
      for (const key of keysWithoutValue(priorities)) labelKeys.add(key);
    }
  }
  return { labelKeys };
};

/** `key=value` says itself what to compare with; a key alone takes the client's value. */
const keysWithoutValue = (priorities: readonly string[] = []): readonly string[] =>
  priorities.filter((entry) => !entry.includes('='));

function* policiesOf(policies: readonly (TrafficPolicy | undefined)[]): Generator<PortPolicy> {
  for (const policy of policies) {
    if (policy === undefined) continue;
    yield policy;
    yield* policy.portLevelSettings;
  }
}

export const sameRelevance = (a: Relevance, b: Relevance): boolean =>
  a.labelKeys.size === b.labelKeys.size && a.labelKeys.isSubsetOf(b.labelKeys);
