import type { AnyObject, ChangeEvent, ObjectKey } from '../schema/types.ts';
import { relevanceOf } from '../translate/relevance.ts';
import { createRuleIndex, type RuleChanges, type RuleIndex } from '../translate/rule-index.ts';
import type { Relevance } from '../translate/view.ts';
import type { DestinationRule, VirtualService } from '../translate/world.ts';

export interface KindChanges extends RuleChanges {
  readonly kind: 'VirtualService' | 'DestinationRule';
}

/** The rules as they are now. */
export interface Rules {
  readonly virtualServices: RuleIndex<VirtualService>;
  readonly destinationRules: RuleIndex<DestinationRule>;
  get(key: ObjectKey): VirtualService | DestinationRule | undefined;
  /** undefined: the event is about something else. */
  apply(event: ChangeEvent): KindChanges | undefined;
  relevance(): Relevance;
}

export const createRules = (clusterDomain: string): Rules => {
  const virtualServices = createRuleIndex<VirtualService>(({ spec }) => spec.hosts, clusterDomain);
  const destinationRules = createRuleIndex<DestinationRule>(({ spec }) => [spec.host], clusterDomain);
  const put = (object: AnyObject): KindChanges | undefined => {
    if (object.kind === 'VirtualService') return { kind: object.kind, ...virtualServices.put(object) };
    if (object.kind === 'DestinationRule') return { kind: object.kind, ...destinationRules.put(object) };
    return undefined;
  };
  const remove = (key: ObjectKey): KindChanges | undefined => {
    if (virtualServices.get(key) !== undefined) return { kind: 'VirtualService', ...virtualServices.remove(key) };
    if (destinationRules.get(key) !== undefined) return { kind: 'DestinationRule', ...destinationRules.remove(key) };
    return undefined;
  };
  return {
    virtualServices,
    destinationRules,
    get: (key) => virtualServices.get(key) ?? destinationRules.get(key),
    apply: (event) => (event.kind === 'upsert' ? put(event.object) : remove(event.key)),
    relevance: () => relevanceOf(virtualServices.all(), destinationRules.all()),
  };
};
