import { addressText } from '../balancer/hash-key.ts';
import { compareLocalities } from '../balancer/locality.ts';
import type { Endpoint, LoadAssignment, Locality } from '../model/cluster.ts';
import { LiveHost, type Reading } from './host.ts';

export interface LocalityHosts {
  readonly locality: Locality;
  readonly weight: number;
  readonly hosts: readonly LiveHost[];
}

/** One priority. `hosts` are in the assignment's order, `localities` in Envoy's. */
export interface PriorityHosts {
  readonly hosts: readonly LiveHost[];
  readonly localities: readonly LocalityHosts[];
}

/** Every host by `address:port`, and the priorities that refer to them; a gap between priorities is an empty one. */
export interface HostSet {
  readonly byAddress: ReadonlyMap<string, LiveHost>;
  readonly priorities: readonly PriorityHosts[];
}

export const NO_HOSTS: HostSet = { byAddress: new Map(), priorities: [] };

/**
 * Brings the hosts in line with an assignment. A host that stays is the same object with its counters; one that goes is
 * marked. Of an address that is named twice the first one counts (Envoy BaseDynamicClusterImpl).
 */
export function reconcileHosts(previous: HostSet, assignment: LoadAssignment, reading: Reading): HostSet {
  const byAddress = new Map<string, LiveHost>();
  const adopt = (endpoint: Endpoint, place: { readonly locality: Locality; readonly priority: number }): LiveHost[] => {
    const key = addressText(endpoint);
    if (byAddress.has(key)) return [];
    const host = previous.byAddress.get(key) ?? new LiveHost(endpoint, place.locality, place.priority);
    host.adopt(endpoint, place, reading);
    byAddress.set(key, host);
    return [host];
  };
  const groups = assignment.localities.map((group) => ({
    priority: group.priority,
    locality: group.locality,
    weight: group.weight,
    hosts: group.endpoints.flatMap((endpoint) => adopt(endpoint, group)),
  }));
  for (const [key, host] of previous.byAddress) if (!byAddress.has(key)) host.removed = true;
  const count = groups.reduce((most, group) => Math.max(most, group.priority + 1), 0);
  const priorities = Array.from({ length: count }, (_, priority) => {
    const own = groups.filter((group) => group.priority === priority);
    return {
      hosts: own.flatMap((group) => group.hosts),
      localities: own.toSorted((one, other) => compareLocalities(one.locality, other.locality)),
    };
  });
  return { byAddress, priorities };
}
