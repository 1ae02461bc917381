import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEntries, hostAt, type RingEntries, sortEntries, writeEntry } from './ring-entries.ts';

const half = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 7, 0x8000_0000, 0xffff_ffff));
const hash = fc.record({ hi: half, lo: half });

function ringOf(hashes: readonly { hi: number; lo: number }[]): RingEntries {
  const unsorted = createEntries(hashes.length);
  for (const [at, { hi, lo }] of hashes.entries()) writeEntry(unsorted, at, Uint32Array.of(hi, lo), at);
  return run(sortEntries(unsorted));
}

const entriesOf = ({ size, words }: RingEntries) =>
  Array.from({ length: size }, (_, entry) => {
    const [hi = 0, lo = 0, host = -1] = words.subarray(entry * 3);
    return { hi, lo, host };
  });

function run<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

describe('ring entries', () => {
  it('are sorted by the whole hash, equal ones in their order', () => {
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 200 }), (hashes) => {
        const expected = hashes
          .map(({ hi, lo }, host) => ({ hi, lo, host }))
          .sort((one, other) => one.hi - other.hi || one.lo - other.lo || one.host - other.host);
        expect(entriesOf(ringOf(hashes))).toEqual(expected);
      }),
    );
  });

  it('a hash finds the first entry not below it and wraps to the first (Envoy Ring::chooseHost)', () => {
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 100 }), fc.array(hash), (hashes, wanted) => {
        const ring = ringOf(hashes);
        for (const { hi, lo } of [...wanted, ...hashes]) {
          const sorted = entriesOf(ring);
          const first = sorted.findIndex((entry) => entry.hi > hi || (entry.hi === hi && entry.lo >= lo));
          for (const steps of [0, 1, 7]) {
            const owner = sorted[(Math.max(0, first) + steps) % sorted.length]?.host;
            expect(hostAt(ring, { hi, lo }, steps)).toBe(owner);
          }
        }
      }),
    );
  });
});
