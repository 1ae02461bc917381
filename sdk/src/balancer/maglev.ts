import type { Hash64 } from '../model/hash.ts';
import { remainder } from './hash/words.ts';
import { type HashHalves, xxHash64Bytes } from './hash/xx-hash-64.ts';
import type { NormalisedWeights } from './normalise.ts';

/** Envoy MAGLEV: a table of prime size that the hosts fill in turn, each along its own permutation. */
export interface Maglev {
  readonly kind: 'maglev';
  /** Index of the host that owns each slot; empty when there are no hosts. */
  readonly table: Int32Array;
}

interface KeyedHost {
  readonly hashKey: string;
}

/** A host while the table is filled. */
interface Claimant {
  readonly host: number;
  readonly share: number;
  readonly skip: number;
  /** Slot of its permutation that it will ask for next. */
  slot: number;
  /** It takes part in a round once round × share has reached this. */
  target: number;
}

/** Slots tried between two yields. */
const BATCH = 4096;
/** Slots cleared between two yields: their pages are touched for the first time. */
const FILLED = 65_536;
const HASHED = 256;
const FREE = -1;

/** Index of the host; a further attempt changes most bits of the hash (Envoy MaglevTable::chooseHost). */
export function pickMaglev({ table }: Maglev, hash: Hash64, attempt: number): number {
  if (table.length === 0) return -1;
  if (attempt === 0) return table[remainder(hash.hi, hash.lo, table.length)] ?? -1;
  // The mask is 2^64 - attempt.
  return table[remainder(~hash.hi >>> 0, (hash.lo ^ -attempt) >>> 0, table.length)] ?? -1;
}

export function* buildMaglev(weights: NormalisedWeights<KeyedHost>, size: number): Generator<void, Maglev> {
  if (weights.hosts.length === 0) return { kind: 'maglev', table: new Int32Array(0) };
  const table = new Int32Array(size);
  for (let from = 0; from < size; from += FILLED) {
    yield;
    table.fill(FREE, from, from + FILLED);
  }
  const claimants = yield* createClaimants(weights, size);
  let tried = 0;
  let taken = 0;
  for (let round = 1; taken < size; round++) {
    for (const claimant of claimants) {
      if (taken === size) break;
      if (round * claimant.share < claimant.target) continue;
      claimant.target += weights.largest;
      while (table[claimant.slot] !== FREE) {
        advance(claimant, size);
        if (++tried % BATCH === 0) yield;
      }
      table[claimant.slot] = claimant.host;
      advance(claimant, size);
      if (++taken % BATCH === 0) yield;
    }
  }
  return { kind: 'maglev', table };
}

function advance(claimant: Claimant, size: number): void {
  const next = claimant.slot + claimant.skip;
  claimant.slot = next >= size ? next - size : next;
}

/** In the order of their keys' bytes: the order of the turns decides who owns a contested slot. */
function* createClaimants(
  { hosts, shares }: NormalisedWeights<KeyedHost>,
  size: number,
): Generator<void, readonly Claimant[]> {
  const out: HashHalves = new Uint32Array(2);
  const encoder = new TextEncoder();
  const keyed = hosts.map((host, index) => ({ index, key: encoder.encode(host.hashKey) }));
  yield;
  keyed.sort((one, other) => compareBytes(one.key, other.key));
  const claimants: Claimant[] = [];
  for (const { index, key } of keyed) {
    if (claimants.length % HASHED === 0) yield;
    xxHash64Bytes(key, key.length, 0, out);
    const slot = remainder(out[0] ?? 0, out[1] ?? 0, size);
    xxHash64Bytes(key, key.length, 1, out);
    const skip = remainder(out[0] ?? 0, out[1] ?? 0, size - 1) + 1;
    claimants.push({ host: index, share: shares[index] ?? 0, skip, slot, target: 0 });
  }
  return claimants;
}

function compareBytes(one: Uint8Array, other: Uint8Array): number {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at++) {
    const gap = (one[at] ?? 0) - (other[at] ?? 0);
    if (gap !== 0) return gap;
  }
  return one.length - other.length;
}
