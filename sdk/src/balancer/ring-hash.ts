import type { HashFunction } from '../model/cluster.ts';
import type { Hash64 } from '../model/hash.ts';
import { murmurHash2Bytes } from './hash/murmur-hash-2.ts';
import { type HashHalves, xxHash64Bytes } from './hash/xx-hash-64.ts';
import type { NormalisedWeights } from './normalise.ts';
import { createEntries, hostAt, type RingEntries, sortEntries, writeEntry } from './ring-entries.ts';

/** Envoy RING_HASH (ketama). Each host has entries in proportion to its share; a request goes to the next one. */
export interface Ring {
  readonly kind: 'ring';
  readonly entries: RingEntries;
}

export interface RingSettings {
  readonly minimumRingSize: number;
  readonly maximumRingSize: number;
  readonly hashFunction: HashFunction;
}

interface KeyedHost {
  readonly hashKey: string;
}

/** Hashes between two yields: some 50 µs. */
const BATCH = 512;
const UNDERSCORE = 0x5f;
const ZERO = 0x30;
/** `_` and the digits of the largest entry number. */
const LONGEST_SUFFIX = 12;

/** Index of the host that owns the entry; each further attempt takes the next entry on the ring. */
export const pickRing = ({ entries }: Ring, hash: Hash64, attempt: number): number => hostAt(entries, hash, attempt);

export function* buildRing(weights: NormalisedWeights<KeyedHost>, settings: RingSettings): Generator<void, Ring> {
  const counts = entriesPerHost(weights, settings);
  const unsorted = createEntries(counts.reduce((sum, count) => sum + count, 0));
  yield;
  const hash = settings.hashFunction === 'murmur-hash-2' ? murmurHash2Bytes : xxHash64Unseeded;
  const out: HashHalves = new Uint32Array(2);
  let entry = 0;
  for (const [host, { hashKey }] of weights.hosts.entries()) {
    const key = createEntryKey(hashKey);
    for (let number = 0; number < (counts[host] ?? 0); number++) {
      hash(key.bytes, writeNumber(key, number), out);
      writeEntry(unsorted, entry, out, host);
      if (++entry % BATCH === 0) yield;
    }
  }
  return { kind: 'ring', entries: yield* sortEntries(unsorted) };
}

const xxHash64Unseeded = (bytes: Uint8Array, length: number, out: HashHalves): void =>
  xxHash64Bytes(bytes, length, 0, out);

/**
 * How many entries each host gets. The ring is scaled so that the lightest host has a whole number of entries and the
 * minimum is reached, unless that exceeds the maximum. Fractions are carried along as running sums, as Envoy does.
 */
export function entriesPerHost(weights: NormalisedWeights<unknown>, settings: RingSettings): readonly number[] {
  const { smallest, shares } = weights;
  const scale = Math.min(Math.ceil(smallest * settings.minimumRingSize) / smallest, settings.maximumRingSize);
  let target = 0;
  let current = 0;
  return Array.from(shares, (share) => {
    target += scale * share;
    const count = Math.max(0, Math.ceil(target) - current);
    current += count;
    return count;
  });
}

/** Bytes of `key_number`, the number rewritten in place for each entry. */
interface EntryKey {
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

function createEntryKey(hashKey: string): EntryKey {
  const prefix = new TextEncoder().encode(hashKey);
  const bytes = new Uint8Array(prefix.length + LONGEST_SUFFIX);
  bytes.set(prefix);
  bytes[prefix.length] = UNDERSCORE;
  return { bytes, prefixLength: prefix.length + 1 };
}

/** Writes the number in decimal after the prefix; the whole key's length. */
function writeNumber({ bytes, prefixLength }: EntryKey, number: number): number {
  let length = prefixLength + 1;
  for (let bound = 10; number >= bound; bound *= 10) length++;
  let rest = number;
  for (let at = length - 1; at >= prefixLength; at--) {
    const tenth = Math.floor(rest / 10);
    bytes[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return length;
}
