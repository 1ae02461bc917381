import type { Hash64 } from '../../model/hash.ts';
import { byteAt, productHigh, rotated, sumHigh, wordAt } from './words.ts';

/** xxHash64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): the hash of Envoy's request policies, rings and tables. */

const P1_HI = 0x9e3779b1 | 0;
const P1_LO = 0x85ebca87 | 0;
const P2_HI = 0xc2b2ae3d | 0;
const P2_LO = 0x27d4eb4f | 0;
const P3_HI = 0x165667b1 | 0;
const P3_LO = 0x9e3779f9 | 0;
const P4_HI = 0x85ebca77 | 0;
const P4_LO = 0xc2b2ae63 | 0;
const P5_HI = 0x27d4eb2f | 0;
const P5_LO = 0x165667c5 | 0;
const STRIPE_BYTES = 32;

/** Where a hash is put: high half, low half. */
export type HashHalves = Uint32Array;

/** The four lanes of the long form: high halves, then low halves. */
const lanesHigh = new Int32Array(4);
const lanesLow = new Int32Array(4);
/** Accumulator shared by the steps of one hash, which is never interrupted. */
const accumulator = new Int32Array(2);
const halves: HashHalves = new Uint32Array(2);
let scratch = new Uint8Array(512);

/** Seed of the hash being made: high half, low half. */
const seedHalves = new Int32Array(2);
const NO_SEED: Hash64 = { hi: 0, lo: 0 };

/**
 * Hash of a text. Characters up to U+00FF are one byte each, as header values are on the wire; a text
 * with any other character is hashed as UTF-8.
 */
export function xxHash64(text: string, seed: Hash64 = NO_SEED): Hash64 {
  // First: writing may replace the scratch.
  const length = writeText(text);
  seedHalves[0] = seed.hi;
  seedHalves[1] = seed.lo;
  hashBytes(scratch, length, halves);
  return { hi: halves[0] ?? 0, lo: halves[1] ?? 0 };
}

/** Hashes the first `length` bytes into `out`; allocates nothing. The seed is an unsigned 32-bit number. */
export function xxHash64Bytes(bytes: Uint8Array, length: number, seed: number, out: HashHalves): void {
  seedHalves[0] = 0;
  seedHalves[1] = seed;
  hashBytes(bytes, length, out);
}

function hashBytes(bytes: Uint8Array, length: number, out: HashHalves): void {
  let at = 0;
  if (length >= STRIPE_BYTES) {
    at = foldStripes(bytes, length);
  } else {
    accumulator[0] = sumHigh(laneAt(seedHalves, 0), laneAt(seedHalves, 1), P5_HI, P5_LO);
    accumulator[1] = laneAt(seedHalves, 1) + P5_LO;
  }
  finish(bytes, at, length, out);
}

function writeText(text: string): number {
  const length = text.length;
  if (scratch.length < length) scratch = new Uint8Array(length * 2);
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return writeUtf8(text);
    scratch[index] = code;
  }
  return length;
}

function writeUtf8(text: string): number {
  const bytes = new TextEncoder().encode(text);
  if (scratch.length < bytes.length) scratch = new Uint8Array(bytes.length * 2);
  scratch.set(bytes);
  return bytes.length;
}

function foldStripes(bytes: Uint8Array, length: number): number {
  setLane(0, sumHigh(P1_HI, P1_LO, P2_HI, P2_LO), P1_LO + P2_LO);
  setLane(1, P2_HI, P2_LO);
  setLane(2, 0, 0);
  // seed - P1 is seed + ~P1 + 1.
  setLane(3, sumHigh(~P1_HI, ~P1_LO, 0, 1), -P1_LO);
  let at = 0;
  for (; at <= length - STRIPE_BYTES; at += STRIPE_BYTES) {
    for (let lane = 0; lane < 4; lane++) {
      mixLane(lane, wordAt(bytes, at + lane * 8 + 4), wordAt(bytes, at + lane * 8));
    }
  }
  joinLanes();
  return at;
}

function setLane(lane: number, high: number, low: number): void {
  lanesHigh[lane] = sumHigh(high, low, laneAt(seedHalves, 0), laneAt(seedHalves, 1));
  lanesLow[lane] = low + laneAt(seedHalves, 1);
}

/** The specification's round: lane = rotl(lane + input * P2, 31) * P1. */
function mixLane(lane: number, inputHigh: number, inputLow: number): void {
  const productLow = Math.imul(inputLow, P2_LO);
  const high = laneAt(lanesHigh, lane);
  const low = laneAt(lanesLow, lane);
  const sumLow = (low + productLow) | 0;
  const sum = sumHigh(high, low, productHigh(inputHigh, inputLow, P2_HI, P2_LO), productLow);
  const turnedHigh = rotated(sum, sumLow, 31);
  const turnedLow = rotated(sumLow, sum, 31);
  lanesHigh[lane] = productHigh(turnedHigh, turnedLow, P1_HI, P1_LO);
  lanesLow[lane] = Math.imul(turnedLow, P1_LO);
}

const laneAt = (lanes: Int32Array, lane: number): number => lanes[lane] ?? 0;

const LANE_TURNS = [1, 7, 12, 18] as const;

function joinLanes(): void {
  let high = 0;
  let low = 0;
  for (let lane = 0; lane < 4; lane++) {
    const turns = LANE_TURNS[lane] ?? 0;
    const turnedLow = rotated(laneAt(lanesLow, lane), laneAt(lanesHigh, lane), turns);
    const turnedHigh = rotated(laneAt(lanesHigh, lane), laneAt(lanesLow, lane), turns);
    high = sumHigh(high, low, turnedHigh, turnedLow);
    low = (low + turnedLow) | 0;
  }
  for (let lane = 0; lane < 4; lane++) {
    const laneHigh = laneAt(lanesHigh, lane);
    const laneLow = laneAt(lanesLow, lane);
    lanesHigh[lane] = 0;
    lanesLow[lane] = 0;
    mixLane(lane, laneHigh, laneLow);
    high ^= laneAt(lanesHigh, lane);
    low ^= laneAt(lanesLow, lane);
    const product = productHigh(high, low, P1_HI, P1_LO);
    const productLow = Math.imul(low, P1_LO);
    high = sumHigh(product, productLow, P4_HI, P4_LO);
    low = (productLow + P4_LO) | 0;
  }
  accumulator[0] = high;
  accumulator[1] = low;
}

/** Adds the length, folds in what is left after the stripes, and avalanches. */
function finish(bytes: Uint8Array, from: number, length: number, out: HashHalves): void {
  let low = laneAt(accumulator, 1);
  let high = sumHigh(laneAt(accumulator, 0), low, 0, length);
  low = (low + length) | 0;
  let at = from;
  for (; at + 8 <= length; at += 8) {
    const inLow = wordAt(bytes, at);
    const inHigh = wordAt(bytes, at + 4);
    const mulLow = Math.imul(inLow, P2_LO);
    const mulHigh = productHigh(inHigh, inLow, P2_HI, P2_LO);
    const keyLow = rotated(mulLow, mulHigh, 31);
    const keyHigh = rotated(mulHigh, mulLow, 31);
    high ^= productHigh(keyHigh, keyLow, P1_HI, P1_LO);
    low ^= Math.imul(keyLow, P1_LO);
    const turnedLow = rotated(low, high, 27);
    const turnedHigh = rotated(high, low, 27);
    low = Math.imul(turnedLow, P1_LO);
    high = sumHigh(productHigh(turnedHigh, turnedLow, P1_HI, P1_LO), low, P4_HI, P4_LO);
    low = (low + P4_LO) | 0;
  }
  if (at + 4 <= length) {
    const word = wordAt(bytes, at);
    high ^= productHigh(0, word, P1_HI, P1_LO);
    low ^= Math.imul(word, P1_LO);
    const turnedLow = rotated(low, high, 23);
    const turnedHigh = rotated(high, low, 23);
    low = Math.imul(turnedLow, P2_LO);
    high = sumHigh(productHigh(turnedHigh, turnedLow, P2_HI, P2_LO), low, P3_HI, P3_LO);
    low = (low + P3_LO) | 0;
    at += 4;
  }
  for (; at < length; at++) {
    const byte = byteAt(bytes, at);
    high ^= productHigh(0, byte, P5_HI, P5_LO);
    low ^= Math.imul(byte, P5_LO);
    const turnedLow = rotated(low, high, 11);
    const turnedHigh = rotated(high, low, 11);
    high = productHigh(turnedHigh, turnedLow, P1_HI, P1_LO);
    low = Math.imul(turnedLow, P1_LO);
  }
  avalanche(high, low, out);
}

function avalanche(high: number, low: number, out: HashHalves): void {
  // x ^= x >>> 33; x *= P2; x ^= x >>> 29; x *= P3; x ^= x >>> 32
  const firstLow = low ^ (high >>> 1);
  const twiceHigh = productHigh(high, firstLow, P2_HI, P2_LO);
  const twiceLow = Math.imul(firstLow, P2_LO);
  const secondLow = twiceLow ^ ((twiceHigh << 3) | (twiceLow >>> 29));
  const secondHigh = twiceHigh ^ (twiceHigh >>> 29);
  const lastHigh = productHigh(secondHigh, secondLow, P3_HI, P3_LO);
  out[0] = lastHigh;
  out[1] = Math.imul(secondLow, P3_LO) ^ lastHigh;
}
