import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRingEntries, findEntry, type RingEntries, sortEntries } from './ring-entries.ts';

const half = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 7, 0x8000_0000, 0xffff_ffff));
const hash = fc.record({ hi: half, lo: half });

function ringOf(hashes: readonly { hi: number; lo: number }[]): RingEntries {
  const unsorted = run(createRingEntries(hashes.length));
  for (const [at, { hi, lo }] of hashes.entries()) {
    unsorted.high[at] = hi;
    unsorted.low[at] = lo;
    unsorted.hosts[at] = at;
  }
  return run(sortEntries(unsorted));
}

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
        const { high, low, hosts } = ringOf(hashes);
        expect(Array.from(hosts, (host, at) => ({ hi: high[at], lo: low[at], host }))).toEqual(expected);
      }),
    );
  });

  it('a hash finds the first entry not below it and wraps to the first (Envoy Ring::chooseHost)', () => {
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 100 }), fc.array(hash), (hashes, wanted) => {
        const ring = ringOf(hashes);
        for (const { hi, lo } of [...wanted, ...hashes]) {
          const first = Array.from(ring.high).findIndex(
            (high, at) => high > hi || (high === hi && (ring.low[at] ?? 0) >= lo),
          );
          expect(findEntry(ring, { hi, lo })).toBe(Math.max(0, first));
        }
      }),
    );
  });
});
