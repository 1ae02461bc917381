import { byteAt, productHigh, wordAt } from './words.ts';
import type { HashHalves } from './xx-hash-64.ts';

/**
 * The 64-bit MurmurHash2 of libstdc++'s `std::hash`, which Envoy's RingHashLbConfig.MURMUR_HASH_2 names: XX_HASH beside
 * it is all that Envoy and gRPC (A42: XX_HASH alone) have. MurmurHash3 is in neither, so no other ring could be equal to
 * one made by it.
 */

const MUL_HI = 0xc6a4a793 | 0;
const MUL_LO = 0x5bd1e995 | 0;
const SEED = 0xc70f6907 | 0;

/** Hashes the first `length` bytes into `out`; allocates nothing. */
export function murmurHash2Bytes(bytes: Uint8Array, length: number, out: HashHalves): void {
  let high = productHigh(0, length, MUL_HI, MUL_LO);
  let low = SEED ^ Math.imul(length, MUL_LO);
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    const inLow = wordAt(bytes, at);
    const inHigh = wordAt(bytes, at + 4);
    const onceHigh = productHigh(inHigh, inLow, MUL_HI, MUL_LO);
    const mixed = Math.imul(inLow, MUL_LO) ^ (onceHigh >>> 15);
    high ^= productHigh(onceHigh, mixed, MUL_HI, MUL_LO);
    low ^= Math.imul(mixed, MUL_LO);
    high = productHigh(high, low, MUL_HI, MUL_LO);
    low = Math.imul(low, MUL_LO);
  }
  if (at < length) {
    for (let index = length - 1; index >= at; index--) {
      const shift = (index - at) * 8;
      if (shift >= 32) high ^= byteAt(bytes, index) << (shift - 32);
      else low ^= byteAt(bytes, index) << shift;
    }
    high = productHigh(high, low, MUL_HI, MUL_LO);
    low = Math.imul(low, MUL_LO);
  }
  // x = (x ^ x >>> 47) * mul; x ^= x >>> 47
  low ^= high >>> 15;
  high = productHigh(high, low, MUL_HI, MUL_LO);
  low = Math.imul(low, MUL_LO);
  out[0] = high;
  out[1] = low ^ (high >>> 15);
}
