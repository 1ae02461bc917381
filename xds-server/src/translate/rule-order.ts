import type { ConfigObject } from '../schema/types.ts';
import { compareText } from './names.ts';
import { isVisible, type View } from './view.ts';

/**
 * The oldest first, then by namespace and name; an object without a creation time is younger than any with one. Files
 * have none: their mtime must not count, or a checkout would change routing.
 */
export const byAge = (a: ConfigObject, b: ConfigObject): number =>
  compareAge(a.creationTime, b.creationTime) || compareText(a.namespace, b.namespace) || compareText(a.name, b.name);

const compareAge = (a = Number.POSITIVE_INFINITY, b = Number.POSITIVE_INFINITY): number => (a === b ? 0 : a - b);

/**
 * Those of a namespace's rules that the client may use, private ones before those exported to its namespace by name,
 * those before public ones (Istio VirtualServicesForGateway), `byDefault` standing for what is not written; `rules` is in the order of age and stays so inside a rank.
 */
export const visibleRules = <R extends ConfigObject<'VirtualService'>>(
  rules: readonly R[],
  view: View,
  byDefault: readonly string[],
): readonly R[] => {
  const exportTo = ({ spec }: R): readonly string[] => (spec.exportTo.length > 0 ? spec.exportTo : byDefault);
  const rank = (rule: R): number => {
    if (exportTo(rule).length === 0 || exportTo(rule).includes('*')) return 2;
    return rule.namespace === view.namespace ? 0 : 1;
  };
  return rules
    .filter((rule) => isVisible(exportTo(rule), rule.namespace, view.namespace))
    .toSorted((a, b) => rank(a) - rank(b));
};
