/**
 * Earliest deadline first, Envoy's weighted round robin: a pick takes the entry with the nearest deadline and puts it
 * back 1/weight later. Ties go to the one that was put back first.
 */
export interface Weighted {
  /** Entries as a binary heap by (deadline, order). */
  readonly heap: Uint32Array;
  readonly deadlines: Float64Array;
  readonly orders: Float64Array;
  now: number;
  nextOrder: number;
}

/** Picks that a seed may skip, as Envoy bounds them: more would cost precision. */
const SEED_LIMIT = 429_496_729;

/**
 * A schedule over entries of positive weight. The seed is a number of picks taken as done, so that clients which
 * start together do not all begin with the same host; most of them are computed, not performed.
 */
export function createWeighted(weights: readonly number[], seed: number): Weighted {
  const size = weights.length;
  const picks = seed % SEED_LIMIT;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const schedule: Weighted = {
    heap: Uint32Array.from(weights.keys()),
    deadlines: new Float64Array(size),
    orders: Float64Array.from(weights.keys()),
    now: 0,
    nextOrder: size,
  };
  let done = 0;
  for (const [entry, weight] of weights.entries()) {
    const own = Math.floor((weight * picks) / total);
    done += own;
    schedule.deadlines[entry] = (own + 1) / weight;
    schedule.now = Math.max(schedule.now, own / weight);
  }
  for (let at = (size >>> 1) - 1; at >= 0; at--) sink(schedule, at);
  if (size > 0) for (; done < picks; done++) putBack(schedule, weights[peekWeighted(schedule)] ?? 1);
  return schedule;
}

/** The entry whose turn it is; -1 when there is none. */
export const peekWeighted = (schedule: Weighted): number => schedule.heap[0] ?? -1;

/** Puts the entry whose turn it is back with its weight of now. */
export function putBack(schedule: Weighted, weight: number): void {
  const entry = peekWeighted(schedule);
  schedule.now = deadlineOf(schedule, entry);
  schedule.deadlines[entry] = schedule.now + 1 / weight;
  schedule.orders[entry] = schedule.nextOrder++;
  sink(schedule, 0);
}

const deadlineOf = (schedule: Weighted, entry: number): number => schedule.deadlines[entry] ?? 0;

const isBefore = (schedule: Weighted, one: number, other: number): boolean => {
  const gap = deadlineOf(schedule, one) - deadlineOf(schedule, other);
  return gap < 0 || (gap === 0 && (schedule.orders[one] ?? 0) < (schedule.orders[other] ?? 0));
};

function sink(schedule: Weighted, from: number): void {
  const { heap } = schedule;
  const entry = heap[from] ?? 0;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(schedule, heap[child + 1] ?? 0, heap[child] ?? 0)) child++;
    const candidate = heap[child] ?? 0;
    if (!isBefore(schedule, candidate, entry)) break;
    heap[at] = candidate;
    at = child;
  }
  heap[at] = entry;
}

/** Equal weights need no schedule: Envoy then picks unweighted. */
export const weightsDiffer = (hosts: readonly { readonly weight: number }[]): boolean =>
  hosts.some((host) => host.weight !== hosts[0]?.weight);
