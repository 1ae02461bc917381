import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { xxHash64 } from './hash/xx-hash-64.ts';
import { buildMaglev, pickMaglev } from './maglev.ts';
import { normaliseWeights } from './normalise.ts';
import { buildRing, entriesPerHost, pickRing, type RingSettings } from './ring-hash.ts';

/** Property of consistent hashing: when one of n hosts goes or comes, about 1/n of the keys move. */

const KEYS = Array.from({ length: 3_000 }, (_, index) => xxHash64(`session-${index}`));
const TABLE_SIZE = 65_537;
/** Of 3,000 keys, beyond the share that is due. */
const SLACK = 0.03;

interface ChurnHost {
  readonly hashKey: string;
  readonly weight: number;
}

const hostsOf = (weights: readonly number[]): readonly ChurnHost[] =>
  weights.map((weight, index) => ({ hashKey: `10.2.${index >>> 8}.${index & 255}:8080`, weight }));

const weightsOf = (hosts: readonly ChurnHost[]) => normaliseWeights([{ weight: 1, hosts }]);

function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Whom each key goes to. */
function ringOwners(hosts: readonly ChurnHost[], settings: RingSettings): readonly (ChurnHost | undefined)[] {
  const ring = finish(buildRing(weightsOf(hosts), settings));
  return KEYS.map((hash) => hosts[pickRing(ring, hash, 0)]);
}

function maglevOwners(hosts: readonly ChurnHost[]): readonly (ChurnHost | undefined)[] {
  const table = finish(buildMaglev(weightsOf(hosts), TABLE_SIZE));
  return KEYS.map((hash) => hosts[pickMaglev(table, hash, 0)]);
}

const differing = (one: readonly unknown[], other: readonly unknown[]): number =>
  one.filter((owner, index) => owner !== other[index]).length / KEYS.length;

const shareOf = (owners: readonly unknown[], host: ChurnHost | undefined): number =>
  owners.filter((owner) => owner === host).length / KEYS.length;

const churn = fc
  .record({
    count: fc.integer({ min: 2, max: 80 }),
    at: fc.nat(79),
    weights: fc.constantFrom<'same' | 'other'>('same', 'other'),
  })
  .map(({ count, at, weights }) => {
    const hosts = hostsOf(
      Array.from({ length: count }, (_, index) => (weights === 'same' ? 1 : 1 + ((index * 7) % 4))),
    );
    return { hosts, gone: hosts[at % count], fewer: hosts.toSpliced(at % count, 1) };
  });

describe('stable picks under churn: what moves both when a host goes and when it comes', () => {
  it('Maglev: the keys of that host and 3 % at most, so 1/n + 0.03 of equal hosts', () => {
    fc.assert(
      fc.property(churn, ({ hosts, gone, fewer }) => {
        const owners = maglevOwners(hosts);
        expect(differing(owners, maglevOwners(fewer))).toBeLessThanOrEqual(shareOf(owners, gone) + SLACK);
      }),
      { numRuns: 25 },
    );
  });

  it.each(['xx-hash', 'murmur-hash-2'] as const)(
    'ring hash (%s): the keys of that host, and those of the entries by which the others grow',
    (hashFunction) => {
      const minimum = fc.constantFrom(1, 1_024, 16_384);
      fc.assert(
        fc.property(churn, minimum, ({ hosts, gone, fewer }, minimumRingSize) => {
          const settings: RingSettings = { minimumRingSize, maximumRingSize: 8_388_608, hashFunction };
          const owners = ringOwners(hosts, settings);
          const moved = differing(owners, ringOwners(fewer, settings));
          expect(moved).toBeLessThanOrEqual(shareOf(owners, gone) + changedEntries(hosts, fewer, settings) + SLACK);
        }),
        { numRuns: 25 },
      );
    },
  );

  it.each(['xx-hash', 'murmur-hash-2'] as const)(
    'ring hash (%s) of one size per host: the keys of that host and no other',
    (hashFunction) => {
      const settings: RingSettings = { minimumRingSize: 1, maximumRingSize: 8_388_608, hashFunction };
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 80 }), fc.nat(79), (count, at) => {
          const hosts = hostsOf(new Array<number>(count).fill(1));
          const owners = ringOwners(hosts, settings);
          const fewer = ringOwners(hosts.toSpliced(at % count, 1), settings);
          expect(differing(owners, fewer)).toBe(shareOf(owners, hosts[at % count]));
        }),
        { numRuns: 25 },
      );
    },
  );
});

/** Part of the ring that entries take up which a host has in one of the rings only: Envoy scales a ring to its minimum. */
function changedEntries(hosts: readonly ChurnHost[], fewer: readonly ChurnHost[], settings: RingSettings): number {
  const before = entriesPerHost(weightsOf(hosts), settings);
  const after = entriesPerHost(weightsOf(fewer), settings);
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const changed = fewer.map((host, index) => Math.abs((after[index] ?? 0) - (before[hosts.indexOf(host)] ?? 0)));
  return sum(changed) / Math.min(sum(before), sum(after));
}
