import type { Hash64 } from '../model/hash.ts';

/**
 * The entries of a ring in columns, ascending by hash. `starts[k]` is the first entry whose hash begins with the bits
 * of k or more: hashes are uniform, so a bucket holds about one entry and the same index serves the sort and the search.
 */
export interface RingEntries {
  readonly size: number;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly hosts: Uint32Array;
  readonly starts: Uint32Array;
  /** 32 minus the bits of a bucket's number. */
  readonly shift: number;
}

/** Entries between two yields where memory is read in order, and where each entry may touch pages for the first time. */
const BATCH = 512;
const SCATTERED_BATCH = 64;
/** A power of two buckets, at most 4 Mi. */
const MOST_BUCKET_BITS = 22;

/** Room for a ring. Yields between the columns: one may have to wait for a garbage collection. */
export function* createRingEntries(size: number): Generator<void, RingEntries> {
  const bits = Math.min(Math.max(1, 31 - Math.clz32(size)), MOST_BUCKET_BITS);
  const high = new Uint32Array(size);
  yield;
  const low = new Uint32Array(size);
  yield;
  const hosts = new Uint32Array(size);
  yield;
  // Two more than buckets: the count of bucket k is kept at k + 2 until the scatter has moved every start down by one.
  return { size, high, low, hosts, starts: new Uint32Array(2 ** bits + 2), shift: 32 - bits };
}

/**
 * First entry with a hash not below the given one, the ring's first where there is none: what Envoy's binary search
 * finds.
 */
export function findEntry({ size, high, low, starts, shift }: RingEntries, hash: Hash64): number {
  let at = starts[hash.hi >>> shift] ?? 0;
  while (at < size) {
    const entryHigh = high[at] ?? 0;
    if (entryHigh > hash.hi || (entryHigh === hash.hi && (low[at] ?? 0) >= hash.lo)) return at;
    at++;
  }
  return 0;
}

/** Sorts in slices: count, scatter into buckets by the leading bits, then order each bucket. Stable. */
export function* sortEntries(unsorted: RingEntries): Generator<void, RingEntries> {
  const sorted = yield* createRingEntries(unsorted.size);
  yield;
  yield* countBuckets(unsorted, sorted);
  yield* scatter(unsorted, sorted);
  yield* orderBuckets(sorted);
  return sorted;
}

function* countBuckets({ size, high }: RingEntries, { starts, shift }: RingEntries): Generator<void, void> {
  for (let at = 0; at < size; at++) {
    const slot = ((high[at] ?? 0) >>> shift) + 2;
    starts[slot] = (starts[slot] ?? 0) + 1;
    if (at % SCATTERED_BATCH === 0) yield;
  }
  for (let slot = 1; slot < starts.length; slot++) {
    starts[slot] = (starts[slot] ?? 0) + (starts[slot - 1] ?? 0);
    if (slot % BATCH === 0) yield;
  }
}

function* scatter(from: RingEntries, to: RingEntries): Generator<void, void> {
  for (let at = 0; at < from.size; at++) {
    const slot = ((from.high[at] ?? 0) >>> to.shift) + 1;
    const place = to.starts[slot] ?? 0;
    to.starts[slot] = place + 1;
    to.high[place] = from.high[at] ?? 0;
    to.low[place] = from.low[at] ?? 0;
    to.hosts[place] = from.hosts[at] ?? 0;
    if (at % SCATTERED_BATCH === 0) yield;
  }
}

/** After the scatter an entry is at most a bucket away from its place: insertion is all that is left to do. */
function* orderBuckets({ size, high, low, hosts }: RingEntries): Generator<void, void> {
  for (let at = 1; at < size; at++) {
    const entryHigh = high[at] ?? 0;
    const entryLow = low[at] ?? 0;
    const host = hosts[at] ?? 0;
    let place = at;
    while (place > 0) {
      const beforeHigh = high[place - 1] ?? 0;
      if (beforeHigh < entryHigh || (beforeHigh === entryHigh && (low[place - 1] ?? 0) <= entryLow)) break;
      high[place] = beforeHigh;
      low[place] = low[place - 1] ?? 0;
      hosts[place] = hosts[place - 1] ?? 0;
      place--;
    }
    high[place] = entryHigh;
    low[place] = entryLow;
    hosts[place] = host;
    if (at % BATCH === 0) yield;
  }
}
