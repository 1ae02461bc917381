import type { Random } from '../clock.ts';
import type { Hash64 } from '../model/hash.ts';
import { mersenneTwister } from './hash/mersenne-twister.ts';
import { type Maglev, pickMaglev } from './maglev.ts';
import { pickRing, type Ring } from './ring-hash.ts';

/**
 * Consistent hashing with bounded loads (Envoy ConsistentHashingLbConfig.hash_balance_factor): no host gets more than
 * this percentage of its share of the requests under way; what is above it goes to others, for each hash in an order of
 * its own.
 */
export interface BoundedLoad {
  readonly kind: 'bounded';
  readonly table: Ring | Maglev;
  /** Each host's share of the traffic. */
  readonly shares: Float64Array;
  /** Percent, ≥ 100. */
  readonly balanceFactor: number;
}

interface LoadedHost {
  readonly active: number;
}

interface LoadDraw {
  readonly hash: Hash64;
  readonly attempt: number;
  /** Requests under way in the whole cluster. */
  readonly active: number;
}

export const pickTable = (table: Ring | Maglev, { hash, attempt }: LoadDraw): number =>
  table.kind === 'ring' ? pickRing(table, hash, attempt) : pickMaglev(table, hash, attempt);

/** Envoy BoundedLoadHashingLoadBalancer::chooseHost. */
export function pickBounded(state: BoundedLoad, hosts: readonly LoadedHost[], draw: LoadDraw): number {
  const preferred = pickTable(state.table, draw);
  if (preferred < 0) return preferred;
  const slots = Math.ceil(((draw.active + 1) * state.balanceFactor) / 100);
  const overload = (index: number): number =>
    (hosts[index]?.active ?? 0) / Math.max(1, Math.ceil(slots * (state.shares[index] ?? 0)));
  let best = preferred;
  let least = overload(preferred);
  if (least <= 1) return preferred;
  for (const index of shuffled(hosts.length, mersenneTwister(draw.hash.lo))) {
    const load = overload(index);
    if (load <= 1) return index;
    if (load < least) {
      best = index;
      least = load;
    }
  }
  return best;
}

/** 0 to count - 1 in random order, as far as asked. */
function* shuffled(count: number, random: Random): Generator<number, void> {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = 0; at < count; at++) {
    const other = at + below(count - at, random);
    const index = order[other] ?? 0;
    order[other] = order[at] ?? 0;
    order[at] = index;
    yield index;
  }
}

/** Uniform in [0, bound), with Envoy's use of the generator. */
function below(bound: number, random: Random): number {
  const width = Math.floor(0x1_0000_0000 / bound);
  for (;;) {
    const value = Math.floor(random() / width);
    if (value < bound) return value;
  }
}
