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

/** Hosts between two places where the event loop may have its turn: well under a millisecond. */
const HOSTS_A_STEP = 256;

/**
 * Brings the hosts in line with an assignment. A host that stays is the same object with its counters; one that goes is
 * marked, at the very end. Of an address that is named twice the first one counts (Envoy BaseDynamicClusterImpl).
 */
export function* reconcileHosts(
  previous: HostSet,
  assignment: LoadAssignment,
  reading: Reading,
): Generator<void, HostSet> {
  const roll = new Roll(previous.all);
  const adopt = (endpoint: Endpoint, place: LocalityEndpoints): LiveHost | undefined => {
    const known = roll.find(endpoint);
    if (known === 'twice') return undefined;
    const host = known ?? new LiveHost(endpoint, place);
    host.adopt(endpoint, place, reading);
    return host;
  };
  let count = 0;
  const groups: (LocalityHosts & { readonly priority: number })[] = [];
  for (const group of assignment.localities) {
    const hosts: LiveHost[] = [];
    for (const endpoint of group.endpoints) {
      if (roll.leavesOrder(endpoint)) yield* roll.leaveOrder();
      const host = adopt(endpoint, group);
      if (host !== undefined) hosts.push(host);
      if (++count % HOSTS_A_STEP === 0) yield;
    }
    const { priority, locality, weight } = group;
    groups.push({ priority, locality, weight, hosts: hosts.slice() });
  }
  for (const host of roll.missing()) host.removed = true;
  const levels = groups.reduce((most, group) => Math.max(most, group.priority + 1), 0);
  const priorities = Array.from({ length: levels }, (_, priority) => {
    const own = groups.filter((group) => group.priority === priority);
    return {
      hosts: joined(own),
      // One without hosts has no part in the sum of the weights either.
      localities: merged(own.toSorted((one, other) => compareLocalities(one.locality, other.locality))).filter(
        ({ hosts }) => hosts.length > 0,
      ),
    };
  });
  return { all: joined(groups), priorities };
}

/** A locality that is named twice in a priority is one, and the last weight it is given counts (as live Envoy has it). */
function merged(sorted: readonly LocalityHosts[]): readonly LocalityHosts[] {
  const isTwin = (group: LocalityHosts, index: number): boolean => {
    const before = sorted[index - 1];
    return before !== undefined && compareLocalities(before.locality, group.locality) === 0;
  };
  if (!sorted.some(isTwin)) return sorted;
  const one: LocalityHosts[] = [];
  for (const [index, group] of sorted.entries()) {
    const twin = isTwin(group, index) ? one.pop() : undefined;
    one.push(
      twin === undefined
        ? group
        : { ...group, weight: group.weight || twin.weight, hosts: [...twin.hosts, ...group.hosts] },
    );
  }
  return one;
}

/** Of a single group its very list: most clusters have one. */
const joined = (groups: readonly { readonly hosts: readonly LiveHost[] }[]): readonly LiveHost[] =>
  groups.length === 1 && groups[0] !== undefined ? groups[0].hosts : groups.flatMap((group) => group.hosts);

/**
 * Who of the previous hosts is named again. Most updates name the hosts in the order of the one before: as long as they
 * do, no address is looked up, and for ten thousand hosts that is most of the work.
 */
class Roll {
  readonly #previous: readonly LiveHost[];
  #inOrder = 0;
  #left: Map<string, LiveHost> | undefined;
  readonly #named = new Set<string>();

  constructor(previous: readonly LiveHost[]) {
    this.#previous = previous;
  }

  /** Addresses must be looked up to find this one. */
  leavesOrder({ address, port }: Endpoint): boolean {
    const next = this.#previous[this.#inOrder];
    return this.#left === undefined && !(next?.address === address && next.port === port);
  }

  *leaveOrder(): Generator<void, void> {
    const left = new Map<string, LiveHost>();
    for (const [index, host] of this.#previous.entries()) {
      if (index < this.#inOrder) this.#named.add(addressText(host));
      else left.set(addressText(host), host);
      if (index % HOSTS_A_STEP === HOSTS_A_STEP - 1) yield;
    }
    this.#left = left;
  }

  /** The host of the address; undefined where it is new, 'twice' where it was named before. */
  find(endpoint: Endpoint): LiveHost | undefined | 'twice' {
    if (this.#left === undefined) return this.#previous[this.#inOrder++];
    const key = addressText(endpoint);
    if (this.#named.has(key)) return 'twice';
    this.#named.add(key);
    const host = this.#left.get(key);
    this.#left.delete(key);
    return host;
  }

  missing(): Iterable<LiveHost> {
    return this.#left?.values() ?? this.#previous.slice(this.#inOrder);
  }
}
