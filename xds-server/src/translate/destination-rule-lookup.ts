import type { Subset, TrafficPolicy } from '../schema/spec/destination-rule.ts';
import { hostCovers } from './names.ts';
import { isVisible, selects, type View } from './view.ts';
import type { DestinationRule, World } from './world.ts';

/** Rules of one namespace for one host, as one (Istio ConsolidatedDestRule). */
export interface MergedRule {
  /** The rule that gave the policy's name; the others only added subsets. */
  readonly rule: DestinationRule;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: ReadonlyMap<string, Subset>;
}

/**
 * The rule that a client sees for a service: its own namespace's, else the service's, else the root namespace's; the first
 * level that has one decides, nothing is inherited between levels (Istio PushContext.destinationRule).
 */
export const destinationRuleFor = (
  world: World,
  view: View,
  host: string,
  serviceNamespace: string | undefined,
): MergedRule | undefined => {
  const wildcards = world.destinationRuleWildcards().filter((pattern) => pattern !== host && hostCovers(pattern, host));
  const byPattern = [host, ...wildcards].map((pattern) => world.destinationRules(pattern));
  const { rootNamespace } = world.mesh();
  // Public rules of the root namespace are everybody's last resort, of its own clients too: private ones alone come first there.
  const own = view.namespace === rootNamespace ? isOnlyFor(world, view) : () => true;
  const levels = [
    [view.namespace, own],
    [serviceNamespace, () => true],
    [rootNamespace, () => true],
  ] as const;
  for (const [namespace, counts] of levels) {
    for (const rules of byPattern) {
      const usable = rules.filter(
        (rule) => rule.namespace === namespace && counts(rule) && appliesTo(world, rule, view),
      );
      const first = usable[0];
      if (first !== undefined) return merge(world, first, usable, view);
    }
  }
  return undefined;
};

const exportToOf = (world: World, { spec }: DestinationRule): readonly string[] =>
  spec.exportTo.length > 0 ? spec.exportTo : world.mesh().exportTo.destinationRule;

const appliesTo = (world: World, rule: DestinationRule, view: View): boolean => {
  const { spec, namespace } = rule;
  if (!isVisible(exportToOf(world, rule), namespace, view.namespace)) return false;
  if (spec.workloadSelector === undefined) return true;
  return namespace === view.namespace && selects(spec.workloadSelector.matchLabels, view.labels);
};

/** A rule with a workloadSelector beats plain ones; among equals the first policy and the first of each subset count. */
const merge = (world: World, first: DestinationRule, usable: readonly DestinationRule[], view: View): MergedRule => {
  const chosen = usable.find(({ spec }) => spec.workloadSelector !== undefined) ?? first;
  const alike = usable.filter(
    (rule) =>
      (rule.spec.workloadSelector === undefined) === (chosen.spec.workloadSelector === undefined) &&
      sameAudience(exportToOf(world, rule), exportToOf(world, chosen), view),
  );
  const subsets = new Map<string, Subset>();
  for (const { spec } of alike)
    for (const subset of spec.subsets) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  const trafficPolicy = alike.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  return { rule: chosen, trafficPolicy, subsets };
};

const isOnlyFor =
  (world: World, view: View) =>
  (rule: DestinationRule): boolean =>
    isPrivate(exportToOf(world, rule), view);

const sameAudience = (a: readonly string[], b: readonly string[], view: View): boolean =>
  isPrivate(a, view) === isPrivate(b, view);

const isPrivate = (exportTo: readonly string[], view: View): boolean =>
  exportTo.length > 0 && exportTo.every((one) => one === '.' || one === view.namespace);
