import type { Hash64 } from '../model/hash.ts';

/**
 * The entries of a ring, ascending by hash: three words each (high half, low half, host), side by side, so that an
 * entry is one line of the processor's cache. `starts[k]` is the first entry whose hash begins with the bits of k or
 * more: hashes are uniform, so a bucket holds about one entry and the same index serves the sort and the search.
 */
export interface RingEntries {
  readonly size: number;
  readonly words: Uint32Array;
  readonly starts: Uint32Array;
  /** 32 minus the bits of a bucket's number. */
  readonly shift: number;
}

const ENTRY = 3;
const LOW = 1;
const HOST = 2;

/** Entries between two yields where memory is read in order, and where each entry may touch pages for the first time. */
const BATCH = 512;
const SCATTERED_BATCH = 64;
/** A power of two buckets, at most 4 Mi. */
const MOST_BUCKET_BITS = 22;

/** Room for the entries of a ring, in any order. */
export const createEntries = (size: number): Uint32Array => new Uint32Array(size * ENTRY);

export function writeEntry(words: Uint32Array, entry: number, hash: Uint32Array, host: number): void {
  const at = entry * ENTRY;
  words[at] = hash[0] ?? 0;
  words[at + LOW] = hash[1] ?? 0;
  words[at + HOST] = host;
}

/** Host of the entry `steps` after the first one with a hash not below the given one: what Envoy's binary search finds. */
export function hostAt(entries: RingEntries, hash: Hash64, steps: number): number {
  if (entries.size === 0) return -1;
  const entry = findEntry(entries, hash);
  return entries.words[(steps === 0 ? entry : (entry + steps) % entries.size) * ENTRY + HOST] ?? -1;
}

/** The ring's first entry where no hash is as high. */
function findEntry({ size, words, starts, shift }: RingEntries, hash: Hash64): number {
  for (let entry = starts[hash.hi >>> shift] ?? 0; entry < size; entry++) {
    const high = words[entry * ENTRY] ?? 0;
    if (high > hash.hi || (high === hash.hi && (words[entry * ENTRY + LOW] ?? 0) >= hash.lo)) return entry;
  }
  return 0;
}

/** Sorts in slices: count, scatter into buckets by the leading bits, then order each bucket. Stable. */
export function* sortEntries(unsorted: Uint32Array): Generator<void, RingEntries> {
  const size = unsorted.length / ENTRY;
  const bits = Math.min(Math.max(1, 31 - Math.clz32(size)), MOST_BUCKET_BITS);
  const words = createEntries(size);
  // An allocation may have to wait for a garbage collection.
  yield;
  // Two more than buckets: the count of bucket k is kept at k + 2 until the scatter has moved every start down by one.
  const sorted: RingEntries = { size, words, starts: new Uint32Array(2 ** bits + 2), shift: 32 - bits };
  yield;
  yield* countBuckets(unsorted, sorted);
  yield* scatter(unsorted, sorted);
  yield* orderBuckets(sorted);
  return sorted;
}

function* countBuckets(unsorted: Uint32Array, { size, starts, shift }: RingEntries): Generator<void, void> {
  for (let entry = 0; entry < size; entry++) {
    const slot = ((unsorted[entry * ENTRY] ?? 0) >>> shift) + 2;
    starts[slot] = (starts[slot] ?? 0) + 1;
    if (entry % SCATTERED_BATCH === 0) yield;
  }
  for (let slot = 1; slot < starts.length; slot++) {
    starts[slot] = (starts[slot] ?? 0) + (starts[slot - 1] ?? 0);
    if (slot % BATCH === 0) yield;
  }
}

function* scatter(unsorted: Uint32Array, { size, words, starts, shift }: RingEntries): Generator<void, void> {
  for (let entry = 0; entry < size; entry++) {
    const from = entry * ENTRY;
    const slot = ((unsorted[from] ?? 0) >>> shift) + 1;
    const place = starts[slot] ?? 0;
    starts[slot] = place + 1;
    const to = place * ENTRY;
    words[to] = unsorted[from] ?? 0;
    words[to + LOW] = unsorted[from + LOW] ?? 0;
    words[to + HOST] = unsorted[from + HOST] ?? 0;
    if (entry % SCATTERED_BATCH === 0) yield;
  }
}

/** After the scatter an entry is at most a bucket away from its place: insertion is all that is left to do. */
function* orderBuckets({ size, words }: RingEntries): Generator<void, void> {
  for (let entry = 1; entry < size; entry++) {
    insert(words, entry * ENTRY);
    if (entry % BATCH === 0) yield;
  }
}

function insert(words: Uint32Array, from: number): void {
  const high = words[from] ?? 0;
  const low = words[from + LOW] ?? 0;
  const host = words[from + HOST] ?? 0;
  let to = from;
  for (; to > 0; to -= ENTRY) {
    const before = words[to - ENTRY] ?? 0;
    if (before < high || (before === high && (words[to - ENTRY + LOW] ?? 0) <= low)) break;
    words[to] = before;
    words[to + LOW] = words[to - ENTRY + LOW] ?? 0;
    words[to + HOST] = words[to - ENTRY + HOST] ?? 0;
  }
  if (to === from) return;
  words[to] = high;
  words[to + LOW] = low;
  words[to + HOST] = host;
}
