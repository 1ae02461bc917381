import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmurHash2Bytes } from './murmur-hash-2.ts';
import { remainder } from './words.ts';
import { xxHash64, xxHash64Bytes } from './xx-hash-64.ts';

const MASK = 2n ** 64n - 1n;
const wide = (hi: number, lo: number): bigint => (BigInt(hi) << 32n) | BigInt(lo);
const read = (bytes: Uint8Array, at: number, count: number): bigint =>
  bytes.slice(at, at + count).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
const turn = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;

/** xxHash64 by its specification, in BigInt. */
function xxHash64Reference(bytes: Uint8Array, seed: bigint): bigint {
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const round = (lane: bigint, input: bigint): bigint => (turn((lane + input * p2) & MASK, 31n) * p1) & MASK;
  let at = 0;
  let hash = (seed + p5) & MASK;
  if (bytes.length >= 32) {
    let lanes = [seed + p1 + p2, seed + p2, seed, seed - p1].map((lane) => lane & MASK);
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, index) => round(lane, read(bytes, at + index * 8, 8)));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = lanes.reduce((sum, lane, index) => (sum + turn(lane, turns[index] ?? 0n)) & MASK, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) hash = (turn(hash ^ round(0n, read(bytes, at, 8)), 27n) * p1 + p4) & MASK;
  for (; at + 4 <= bytes.length; at += 4)
    hash = (turn(hash ^ ((read(bytes, at, 4) * p1) & MASK), 23n) * p2 + p3) & MASK;
  for (; at < bytes.length; at++) hash = (turn(hash ^ ((read(bytes, at, 1) * p5) & MASK), 11n) * p1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * p2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * p3) & MASK;
  return hash ^ (hash >> 32n);
}

function murmurHash2Reference(bytes: Uint8Array): bigint {
  const mul = 0xc6a4a7935bd1e995n;
  const mix = (value: bigint): bigint => value ^ (value >> 47n);
  let hash = 0xc70f6907n ^ ((BigInt(bytes.length) * mul) & MASK);
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = ((hash ^ ((mix((read(bytes, at, 8) * mul) & MASK) * mul) & MASK)) * mul) & MASK;
  }
  if (at < bytes.length) hash = ((hash ^ read(bytes, at, bytes.length - at)) * mul) & MASK;
  return mix((mix(hash) * mul) & MASK);
}

const textHash = (text: string): bigint => {
  const { hi, lo } = xxHash64(text);
  return wide(hi, lo);
};

describe('xxHash64', () => {
  it('gives the published values', () => {
    expect(textHash('')).toBe(0xef46db3751d8e999n);
    expect(textHash('a')).toBe(0xd24ec4f1a98c6e5bn);
    expect(textHash('abc')).toBe(0x44bc2cf5ad770999n);
  });

  it('equals the specification for a text and a seed of 64 bits (Envoy chains hashes by their seeds)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (bytes, hi, lo) => {
        const hash = xxHash64(String.fromCharCode(...bytes), { hi, lo });
        expect(wide(hash.hi, hash.lo)).toBe(xxHash64Reference(bytes, wide(hi, lo)));
      }),
    );
  });

  it('equals the specification for any bytes and seed', () => {
    const out = new Uint32Array(2);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), fc.integer({ min: 0, max: 0xffff_ffff }), (bytes, seed) => {
        xxHash64Bytes(bytes, bytes.length, seed, out);
        expect(wide(out[0] ?? 0, out[1] ?? 0)).toBe(xxHash64Reference(bytes, BigInt(seed)));
      }),
    );
  });

  it('hashes a header value as the bytes it is on the wire, any other text as UTF-8', () => {
    expect(textHash('é')).toBe(xxHash64Reference(Uint8Array.of(0xe9), 0n));
    expect(textHash('名é')).toBe(xxHash64Reference(new TextEncoder().encode('名é'), 0n));
  });

  it('takes texts longer than any before', () => {
    for (const text of ['x'.repeat(5_000), '名'.repeat(9_000)]) {
      expect(textHash(text)).toBe(xxHash64Reference(new TextEncoder().encode(text), 0n));
    }
  });
});

describe('MurmurHash2', () => {
  it('equals the reference for any bytes (Envoy RingHashLbConfig.MURMUR_HASH_2)', () => {
    const out = new Uint32Array(2);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        murmurHash2Bytes(bytes, bytes.length, out);
        expect(wide(out[0] ?? 0, out[1] ?? 0)).toBe(murmurHash2Reference(bytes));
      }),
    );
  });
});

describe('remainder', () => {
  it('is that of the 64-bit number', () => {
    const half = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(half, half, fc.integer({ min: 1, max: 5_000_011 }), (hi, lo, modulus) => {
        expect(BigInt(remainder(hi, lo, modulus))).toBe(wide(hi, lo) % BigInt(modulus));
      }),
    );
    expect(remainder(0xffff_ffff, 0xffff_ffff, 65_537)).toBe(0);
  });
});
