import { describe, expect, it } from 'vitest';
import type { HashVector } from '../../../test/interop/envoy-hash/cases.ts';
import { balancerOf, endpointOf, readVectors } from '../../../test/interop/envoy-hash/vectors.ts';
import { xxHash64 } from './hash/xx-hash-64.ts';
import { hashKeyOf } from './hash-key.ts';
import { normaliseWeights } from './normalise.ts';
import { buildHashPicker, NO_HASH, type Picker, pick } from './picker.ts';

/** Recorded from live Envoy by test/interop/envoy-hash/record.ts; priorities are upstream's and tested there. */
const VECTORS = readVectors().filter(
  ({ settings, localities }) => localities === undefined || settings.localityWeighted,
);

interface VectorHost {
  readonly index: number;
  readonly weight: number;
  readonly active: number;
  readonly hashKey: string;
  readonly healthySinceMs: undefined;
}

function build(vector: HashVector): { hosts: readonly VectorHost[]; picker: Picker } {
  const balancer = balancerOf(vector);
  const hosts = vector.hosts.map((host, index) => ({
    index,
    weight: host.weight,
    active: 0,
    hashKey: hashKeyOf(endpointOf(host), balancer.useHostname),
    healthySinceMs: undefined,
  }));
  const localities = (vector.localities ?? [{ zone: '', weight: 1 }])
    .map(({ zone, weight }, locality) => ({
      zone,
      weight,
      hosts: hosts.filter(({ index }) => (vector.hosts[index]?.locality ?? 0) === locality),
    }))
    .sort((one, other) => (one.zone < other.zone ? -1 : 1));
  const weights = normaliseWeights(localities);
  const steps = buildHashPicker(balancer, weights);
  for (;;) {
    const step = steps.next();
    if (step.done) return { hosts: weights.hosts, picker: step.value };
  }
}

const entriesPerHost = (picker: Picker, count: number): number[] => {
  const owners =
    picker.kind === 'ring'
      ? picker.entries.words.filter((_, at) => at % 3 === 2)
      : picker.kind === 'maglev'
        ? picker.table
        : [];
  const counts = new Array<number>(count).fill(0);
  for (const owner of owners) counts[owner] = (counts[owner] ?? 0) + 1;
  return counts;
};

describe('ring hash and Maglev equal live Envoy', () => {
  it('has vectors for both policies, 3 to 1,000 hosts, weights 1 to 5', () => {
    for (const policy of ['RING_HASH', 'MAGLEV']) {
      const sizes = VECTORS.filter((vector) => vector.policy === policy).map((vector) => vector.hosts.length);
      expect(sizes).toEqual(expect.arrayContaining([3, 5, 10, 50, 100, 1000]));
    }
    const weights = new Set(VECTORS.flatMap(({ hosts }) => hosts.map(({ weight }) => weight)));
    expect([...weights].sort()).toEqual([1, 2, 3, 4, 5]);
  });

  it.each(VECTORS.map((vector) => ({ name: vector.name, vector })))(
    '$name: every key goes where Envoy sent it',
    ({ vector }) => {
      const { hosts, picker } = build(vector);
      const picks = Object.keys(vector.picks).map((key) => {
        const draw = { hash: xxHash64(key), attempt: 0, random: () => 0, active: 0, nowMs: 0 };
        return [key, hosts[pick(picker, hosts, draw)]?.index];
      });
      expect(Object.fromEntries(picks)).toEqual(vector.picks);
    },
  );

  it.each(VECTORS.map((vector) => ({ name: vector.name, vector })))(
    '$name: the table is as large and as even',
    ({ vector }) => {
      const { hosts, picker } = build(vector);
      const counts = entriesPerHost(picker, hosts.length);
      const [kind, unit] = vector.policy === 'MAGLEV' ? ['maglev_lb', 'entries'] : ['ring_hash_lb', 'hashes'];
      expect(Math.min(...counts)).toBe(vector.gauges[`${kind}.min_${unit}_per_host`]);
      expect(Math.max(...counts)).toBe(vector.gauges[`${kind}.max_${unit}_per_host`]);
      // Envoy's gauge is the planned size; sums of fractions may come out one entry above it, there as here.
      if (picker.kind === 'ring') {
        const planned = vector.gauges['ring_hash_lb.size'] ?? 0;
        expect([planned, planned + 1]).toContain(picker.entries.size);
      }
    },
  );

  it('answers -1 when there is nobody to pick', () => {
    const draw = { hash: NO_HASH, attempt: 0, random: () => 0, active: 0, nowMs: 0 };
    const nobody: VectorHost[] = [];
    for (const vector of VECTORS.slice(0, 1).concat(VECTORS.slice(-1))) {
      const { picker } = build({ ...vector, hosts: [] });
      expect(pick(picker, nobody, draw)).toBe(-1);
    }
  });
});
