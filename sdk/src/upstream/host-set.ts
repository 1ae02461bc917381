import { addressText } from '../balancer/hash-key.ts';
import { compareLocalities } from '../balancer/locality.ts';
import type { Endpoint, LoadAssignment, Locality, LocalityEndpoints } from '../model/cluster.ts';
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

/** Every host once, and the priorities that refer to them; a gap between priorities is an empty one. */
export interface HostSet {
  readonly all: readonly LiveHost[];
  readonly priorities: readonly PriorityHosts[];
}

export const NO_HOSTS: HostSet = { all: [], priorities: [] };

/**
 * Brings the hosts in line with an assignment. A host that stays is the same object with its counters; one that goes is
 * marked. Of an address that is named twice the first one counts (Envoy BaseDynamicClusterImpl).
 */
export function reconcileHosts(previous: HostSet, assignment: LoadAssignment, reading: Reading): HostSet {
  const roll = callRoll(previous.all);
  const adopt = (endpoint: Endpoint, place: LocalityEndpoints): LiveHost | undefined => {
    const known = roll.find(endpoint);
    if (known === 'twice') return undefined;
    const host = known ?? new LiveHost(endpoint, place);
    host.adopt(endpoint, place, reading);
    return host;
  };
  const groups = assignment.localities.map((group) => ({
    priority: group.priority,
    locality: group.locality,
    weight: group.weight,
    hosts: group.endpoints.map((endpoint) => adopt(endpoint, group)).filter((host) => host !== undefined),
  }));
  for (const host of roll.missing()) host.removed = true;
  const count = groups.reduce((most, group) => Math.max(most, group.priority + 1), 0);
  const priorities = Array.from({ length: count }, (_, priority) => {
    const own = groups.filter((group) => group.priority === priority);
    return {
      hosts: joined(own),
      localities: own.toSorted((one, other) => compareLocalities(one.locality, other.locality)),
    };
  });
  return { all: joined(groups), priorities };
}

/** Of a single group its very list: most clusters have one. */
const joined = (groups: readonly { readonly hosts: readonly LiveHost[] }[]): readonly LiveHost[] =>
  groups.length === 1 && groups[0] !== undefined ? groups[0].hosts : groups.flatMap((group) => group.hosts);

/** Who of the previous hosts is named again. */
interface Roll {
  /** The host of the address; undefined where it is new, 'twice' where it was named before. */
  find(endpoint: Endpoint): LiveHost | undefined | 'twice';
  missing(): Iterable<LiveHost>;
}

/**
 * Most updates name the hosts in the order of the one before: as long as they do, no address is looked up, and for ten
 * thousand hosts that is the difference between a moment and a stall.
 */
function callRoll(previous: readonly LiveHost[]): Roll {
  let inOrder = 0;
  let left: Map<string, LiveHost> | undefined;
  const named = new Set<string>();
  const leaveOrder = (): Map<string, LiveHost> => {
    for (const host of previous.slice(0, inOrder)) named.add(addressText(host));
    return new Map(previous.slice(inOrder).map((host) => [addressText(host), host]));
  };
  return {
    find(endpoint) {
      const next = previous[inOrder];
      if (left === undefined && next?.address === endpoint.address && next.port === endpoint.port) {
        inOrder++;
        return next;
      }
      left ??= leaveOrder();
      const key = addressText(endpoint);
      if (named.has(key)) return 'twice';
      named.add(key);
      const host = left.get(key);
      left.delete(key);
      return host;
    },
    missing: () => left?.values() ?? previous.slice(inOrder),
  };
}
