import type { ClusterConfig } from '../model/target.ts';
import type { LiveHost } from './host.ts';
import type { HostSet } from './host-set.ts';

/** By its connections (gRFC A62), whatever protocol its calls have. */
export const keepsToOne = ({ cluster }: ClusterConfig): boolean => cluster.loadBalancer.kind === 'pick-first';

/**
 * A host of a pick-first cluster that is connected is kept to, unless another one of its list is: of its priority, or of its
 * locality in it where each of them has a policy of its own.
 */
export function keepTo(host: LiveHost, { priorities }: HostSet, byLocality: boolean): void {
  if (host.isKept) return;
  const level = priorities[host.priority];
  const list = byLocality ? level?.localities.find(({ hosts }) => hosts.includes(host))?.hosts : level?.hosts;
  host.isKept = list?.some((other) => other.isKept && other.availability !== 'out') === false;
}
