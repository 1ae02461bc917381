import type { Random } from '../clock.ts';
import type { LoadBalancer } from '../model/cluster.ts';
import type { Hash64 } from '../model/hash.ts';
import { type BoundedLoad, pickBounded } from './bounded-load.ts';
import { createLeastRequest, type LeastRequest, pickLeastRequest } from './least-request.ts';
import type { ReportedWeight } from './load-weight.ts';
import { createLoadWeighted, type LoadWeighted, peekLoadWeighted, pickLoadWeighted } from './load-weighted.ts';
import { buildMaglev, type Maglev, pickMaglev } from './maglev.ts';
import type { NormalisedWeights } from './normalise.ts';
import { createPickFirst, type PickFirst, pickFirst } from './pick-first.ts';
import { pickRandom, type RandomChoice } from './random.ts';
import { buildRing, pickRing, type Ring } from './ring-hash.ts';
import { createRoundRobin, peekRoundRobin, pickRoundRobin, type RoundRobin, type Start } from './round-robin.ts';
import { startRamp } from './slow-start.ts';
import { peekWeighted } from './weighted.ts';

/** What a picker reads of a host. `active` is read at the moment of the pick. */
export interface PickableHost {
  /** ≥ 1. */
  readonly weight: number;
  /** Requests under way. */
  readonly active: number;
  /** What rings and Maglev tables hash. */
  readonly hashKey: string;
  /** When it was first seen healthy; undefined while it is not. */
  readonly healthySinceMs: number | undefined;
  /** By what it says of its load. */
  readonly reported?: ReportedWeight | undefined;
  /** Of pick-first: it was connected to last, and nothing has failed since. */
  readonly isKept?: boolean;
}

/** The state of one picker over one list of hosts: a value; its owner keeps it and lends it to `pick`. */
export type Picker = RoundRobin | LeastRequest | LoadWeighted | RandomChoice | PickFirst | Ring | Maglev | BoundedLoad;

/** One draw. The hash decides for rings and tables; `attempt` counts the hosts already turned down. */
export interface Draw {
  readonly hash: Hash64;
  readonly attempt: number;
  readonly random: Random;
  /** Requests under way in the whole cluster; read where loads are bounded. */
  readonly active: number;
  /** Read where hosts start slowly, or are weighed now and then. */
  readonly nowMs: number;
}

export const NO_HASH: Hash64 = { hi: 0, lo: 0 };

/** Balancers whose table is built beforehand, in slices. */
export type HashBalancer = Extract<LoadBalancer, { kind: 'ring-hash' | 'maglev' }>;

export const isHashBalancer = (balancer: LoadBalancer): balancer is HashBalancer =>
  balancer.kind === 'ring-hash' || balancer.kind === 'maglev';

/** Index of the chosen host, -1 when there is none. */
export function pick(picker: Picker, hosts: readonly PickableHost[], draw: Draw): number {
  switch (picker.kind) {
    case 'round-robin':
      return pickRoundRobin(picker, hosts, draw.nowMs);
    case 'least-request':
      return pickLeastRequest(picker, hosts, draw);
    case 'load-weighted':
      return pickLoadWeighted(picker, hosts, draw.nowMs);
    case 'random':
      return pickRandom(hosts, draw.random);
    case 'pick-first':
      return pickFirst(picker, hosts, draw.attempt);
    case 'ring':
      return pickRing(picker, draw.hash, draw.attempt);
    case 'maglev':
      return pickMaglev(picker, draw.hash, draw.attempt);
    case 'bounded':
      return pickBounded(picker, hosts, draw);
  }
}

/** What `pick` would answer now for the same draw; changes nothing. */
export function peek(picker: Picker, hosts: readonly PickableHost[], draw: Draw): number {
  switch (picker.kind) {
    case 'round-robin':
      return peekRoundRobin(picker, hosts);
    case 'least-request':
      return picker.schedule === undefined ? pickLeastRequest(picker, hosts, draw) : peekWeighted(picker.schedule);
    case 'load-weighted':
      return peekLoadWeighted(picker, hosts);
    case 'random':
    case 'pick-first':
    case 'ring':
    case 'maglev':
    case 'bounded':
      return pick(picker, hosts, draw);
  }
}

/** The other pickers need no slices: they are there at once. */
export function createPicker(
  balancer: Exclude<LoadBalancer, HashBalancer>,
  hosts: readonly PickableHost[],
  start: Start,
): Picker {
  switch (balancer.kind) {
    case 'round-robin':
      return createRoundRobin(hosts, start, startRamp(balancer.slowStart, hosts, start.nowMs));
    case 'least-request':
      return createLeastRequest(hosts, balancer, start, startRamp(balancer.slowStart, hosts, start.nowMs));
    case 'load-weighted':
      return createLoadWeighted(hosts, balancer, start);
    case 'random':
      return { kind: 'random' };
    case 'pick-first':
      return createPickFirst(hosts, balancer.shuffles, start.seed);
  }
}

/**
 * Builds a ring or a Maglev table; its indexes are those of `weights.hosts`. Yields after every piece of well under a
 * millisecond, so that the caller can share the thread.
 */
export function* buildHashPicker(
  balancer: HashBalancer,
  weights: NormalisedWeights<PickableHost>,
): Generator<void, Ring | Maglev | BoundedLoad> {
  const table =
    balancer.kind === 'maglev' ? yield* buildMaglev(weights, balancer.tableSize) : yield* buildRing(weights, balancer);
  const { balanceFactor } = balancer;
  return balanceFactor === undefined ? table : { kind: 'bounded', table, shares: weights.shares, balanceFactor };
}
