import type { PickableHost } from './picker.ts';

type KeptHost = Pick<PickableHost, 'weight' | 'isKept'>;

/**
 * gRPC PickFirst (gRFC A62): one host as long as there is a connection to it; else the first of the list that can be connected
 * to. `attempt` of a draw counts those that could not.
 */
export interface PickFirst {
  readonly kind: 'pick-first';
  /** Indexes of hosts in the order they are tried in; as they come where absent. */
  readonly order: readonly number[] | undefined;
  /** Place in the order of the host that is kept to, as it was last found. */
  kept: number;
}

export const createPickFirst = (hosts: readonly KeptHost[], shuffles: boolean, seed: number): PickFirst => ({
  kind: 'pick-first',
  order: shuffles && hosts.length > 1 ? shuffled(hosts, seed) : undefined,
  kept: -1,
});

export function pickFirst(state: PickFirst, hosts: readonly KeptHost[], attempt: number): number {
  if (hosts.length === 0) return -1;
  const kept = keptPlace(state, hosts);
  if (kept < 0) return at(state, attempt % hosts.length);
  const turn = attempt % hosts.length;
  if (turn === 0) return at(state, kept);
  return at(state, turn <= kept ? turn - 1 : turn);
}

const at = ({ order }: PickFirst, place: number): number => order?.[place] ?? place;

/** It is looked for where it was; a list is read through only when another host is kept to, or none. */
function keptPlace(state: PickFirst, hosts: readonly KeptHost[]): number {
  if (hosts[at(state, Math.max(state.kept, 0))]?.isKept === true) return Math.max(state.kept, 0);
  state.kept = hosts.findIndex((_, place) => hosts[at(state, place)]?.isKept === true);
  return state.kept;
}

/** gRFC A113: the heavier a host the further it tends to the front (Efraimidis and Spirakis: by random ^ (1 / weight)). */
function shuffled(hosts: readonly KeptHost[], seed: number): readonly number[] {
  const keys = hosts.map(({ weight }, index) => -Math.log((mixed(seed, index) + 1) / (2 ** 32 + 1)) / weight);
  return [...hosts.keys()].sort((one, other) => (keys[one] ?? 0) - (keys[other] ?? 0));
}

/** 32 bits that look random of each place (SplitMix32). */
function mixed(seed: number, index: number): number {
  let word = (seed + Math.imul(index + 1, 0x9e3779b9)) >>> 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
