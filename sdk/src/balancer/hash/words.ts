/**
 * 64-bit arithmetic on signed 32-bit halves: a BigInt multiplication costs ten times as much, and hashes are on the
 * path of every call. The low half of a product is `Math.imul(aLo, bLo)`, of a sum `(aLo + bLo) | 0`; these functions
 * give the high halves. They are small and free of state so that the engine inlines them.
 */

/** High half of the unsigned 64-bit product of two 32-bit numbers. */
const carryOfProduct = (a: number, b: number): number => {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross = Math.imul(aHigh, bLow);
  const other = Math.imul(aLow, bHigh);
  const middle = (Math.imul(aLow, bLow) >>> 16) + (cross & 0xffff) + (other & 0xffff);
  return (Math.imul(aHigh, bHigh) + (cross >>> 16) + (other >>> 16) + (middle >>> 16)) | 0;
};

/** High half of `a * b` modulo 2^64. */
export const productHigh = (aHigh: number, aLow: number, bHigh: number, bLow: number): number =>
  (Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh) + carryOfProduct(aLow, bLow)) | 0;

/** High half of `a + b` modulo 2^64. */
export const sumHigh = (aHigh: number, aLow: number, bHigh: number, bLow: number): number =>
  (aHigh + bHigh + ((aLow >>> 0) + (bLow >>> 0) > 0xffff_ffff ? 1 : 0)) | 0;

/** One half of a rotation to the left by 1 to 31 bits; the other half is the same call with the halves exchanged. */
export const rotated = (half: number, other: number, bits: number): number => (half << bits) | (other >>> (32 - bits));

/** Four bytes at `at`, little endian. */
export const wordAt = (bytes: Uint8Array, at: number): number =>
  byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);

export const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

const TWO_32 = 0x1_0000_0000;

/** `value % modulus` for a hash in unsigned halves; the modulus is below 2^26, so every step is an exact double. */
export const remainder = (hi: number, lo: number, modulus: number): number => {
  const value = exactRemainder(hi, modulus) * exactRemainder(TWO_32, modulus) + lo;
  return exactRemainder(value, modulus);
};

/** `%` on doubles calls out of line; a division with one correction does not. */
const exactRemainder = (value: number, modulus: number): number => {
  const rest = value - Math.floor(value / modulus) * modulus;
  return rest < 0 ? rest + modulus : rest;
};
