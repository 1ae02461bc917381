import { describe, expect, it } from 'vitest';
import { isWithinBinomial, seededRandom } from '../../../test/harness/seeded-random.ts';
import type { LoadBalancer } from '../model/cluster.ts';
import { xxHash64 } from './hash/xx-hash-64.ts';
import { normaliseWeights } from './normalise.ts';
import {
  buildHashPicker,
  createPicker,
  type Draw,
  isHashBalancer,
  type PickableHost,
  type Picker,
  peek,
  pick,
} from './picker.ts';

/** One table of cases, run against every picker. */
interface Kind {
  readonly name: string;
  readonly balancer: LoadBalancer;
  readonly weighted: boolean;
  /** A ring's shares are as even as its arcs are; others are exact. */
  readonly slack: number;
}

const ring = (hashFunction: 'xx-hash' | 'murmur-hash-2', minimumRingSize = 65_536): LoadBalancer => ({
  kind: 'ring-hash',
  minimumRingSize,
  maximumRingSize: 8_388_608,
  hashFunction,
  useHostname: false,
});

const bounded = (balancer: LoadBalancer): LoadBalancer =>
  isHashBalancer(balancer) ? { ...balancer, balanceFactor: 150 } : balancer;

const KINDS: readonly Kind[] = [
  { name: 'round robin', balancer: { kind: 'round-robin' }, weighted: true, slack: 0 },
  { name: 'least request', balancer: { kind: 'least-request', choiceCount: 2 }, weighted: true, slack: 0 },
  { name: 'random', balancer: { kind: 'random' }, weighted: false, slack: 0 },
  { name: 'ring hash', balancer: ring('xx-hash'), weighted: true, slack: 0.02 },
  { name: 'ring hash (murmur)', balancer: ring('murmur-hash-2'), weighted: true, slack: 0.02 },
  { name: 'maglev', balancer: { kind: 'maglev', tableSize: 65_537, useHostname: false }, weighted: true, slack: 0.001 },
  { name: 'ring hash, bounded', balancer: bounded(ring('xx-hash')), weighted: true, slack: 0.02 },
];

const hostOf = (host: Partial<PickableHost>): PickableHost => ({
  weight: 1,
  active: 0,
  hashKey: '',
  healthySinceMs: 0,
  ...host,
});
const hostList = (weights: readonly number[]): PickableHost[] =>
  weights.map((weight, index) => hostOf({ weight, hashKey: `10.1.0.${index}:80` }));

function pickerOf({ balancer }: Kind, hosts: readonly PickableHost[], seed = 1): Picker {
  if (!isHashBalancer(balancer)) return createPicker(balancer, hosts, { seed, nowMs: 0 });
  const steps = buildHashPicker(balancer, normaliseWeights([{ weight: 1, hosts }]));
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const random = seededRandom(4_711);
const drawFor = (key: string, attempt = 0): Draw => ({ hash: xxHash64(key), attempt, random, active: 0, nowMs: 0 });

function countPicks(picker: Picker, hosts: readonly PickableHost[], draws: number): number[] {
  const counts = hosts.map(() => 0);
  for (let index = 0; index < draws; index++) {
    const host = pick(picker, hosts, drawFor(`key-${index}`));
    counts[host] = (counts[host] ?? 0) + 1;
  }
  return counts;
}

function movedShare(kind: Kind, hosts: readonly PickableHost[], fewer: readonly PickableHost[]): number {
  const [before, after] = [pickerOf(kind, hosts), pickerOf(kind, fewer)];
  const keys = Array.from({ length: 5_000 }, (_, index) => `key-${index}`);
  const moved = keys.filter((key) => {
    const was = hosts[pick(before, hosts, drawFor(key))];
    return was !== fewer[pick(after, fewer, drawFor(key))];
  });
  return moved.length / keys.length;
}

describe.each(KINDS)('$name', (kind) => {
  it('picks nobody from nobody', () => {
    const picker = pickerOf(kind, []);
    expect(pick(picker, [], drawFor('a'))).toBe(-1);
    expect(peek(picker, [], drawFor('a'))).toBe(-1);
  });

  it('picks the only host', () => {
    const hosts = hostList([3]);
    const picker = pickerOf(kind, hosts);
    for (const attempt of [0, 1, 2]) expect(pick(picker, hosts, drawFor('a', attempt))).toBe(0);
  });

  it('picks equal hosts equally often', () => {
    const hosts = hostList([1, 1, 1, 1, 1, 1, 1]);
    const counts = countPicks(pickerOf(kind, hosts), hosts, 21_000);
    for (const count of counts)
      expect(isWithinBinomial(count, 21_000, 1 / 7) || Math.abs(count / 21_000 - 1 / 7) < kind.slack).toBe(true);
  });

  it('goes by weight where Envoy does', () => {
    const weights = [1, 2, 3, 4, 5, 5];
    const hosts = hostList(weights);
    const counts = countPicks(pickerOf(kind, hosts), hosts, 40_000);
    for (const [index, weight] of weights.entries()) {
      const share = kind.weighted ? weight / 20 : 1 / 6;
      const count = counts[index] ?? 0;
      expect(isWithinBinomial(count, 40_000, share) || Math.abs(count / 40_000 - share) < kind.slack).toBe(true);
    }
  });

  it('a peek tells the next pick and changes nothing', () => {
    const hosts = hostList([2, 1, 4]);
    const picker = pickerOf(kind, hosts);
    for (let index = 0; index < 50; index++) {
      const before = structuredClone(picker);
      const seen = peek(picker, hosts, { ...drawFor(`k${index}`), random: seededRandom(index + 1) });
      expect(picker).toEqual(before);
      expect(pick(picker, hosts, { ...drawFor(`k${index}`), random: seededRandom(index + 1) })).toBe(seen);
    }
  });

  if (isHashBalancer(kind.balancer)) {
    it('a key keeps its host', () => {
      const hosts = hostList([1, 2, 3]);
      const picker = pickerOf(kind, hosts);
      expect(new Set(Array.from({ length: 20 }, () => pick(picker, hosts, drawFor('me')))).size).toBe(1);
    });

    it('a further attempt comes to another host before long', () => {
      const hosts = hostList([1, 1, 1, 1]);
      const picker = pickerOf(kind, hosts);
      const seen = new Set(Array.from({ length: 40 }, (_, attempt) => pick(picker, hosts, drawFor('me', attempt))));
      expect(seen.size).toBe(4);
    });

    it.each([5, 20, 60])('when one of %i hosts goes or comes, about 1/n of the keys move', (count) => {
      const hosts = hostList(new Array<number>(count).fill(1));
      const fewer = hosts.toSpliced(count >>> 1, 1);
      // A ring that must reach its minimum size gives every host that stays more entries, which take as much again.
      const bound = (kind.balancer.kind === 'ring-hash' ? 2 : 1) / count + 0.03;
      expect(movedShare(kind, hosts, fewer)).toBeLessThan(bound);
      expect(movedShare(kind, fewer, hosts)).toBeLessThan(bound);
    });

    it('the order in which hosts come changes no pick', () => {
      const hosts = hostList([1, 5, 2, 4, 3, 1, 1, 2]);
      expect(movedShare(kind, hosts, hosts.toReversed())).toBeLessThan(kind.balancer.kind === 'maglev' ? 1e-9 : 0.01);
    });
  }
});

describe('round robin', () => {
  it('takes equal hosts in turn from where the seed says', () => {
    const hosts = hostList([1, 1, 1]);
    const picker = createPicker({ kind: 'round-robin' }, hosts, { seed: 5, nowMs: 0 });
    expect(Array.from({ length: 6 }, () => pick(picker, hosts, drawFor('')))).toEqual([2, 0, 1, 2, 0, 1]);
  });
});

const START = { seed: 0, nowMs: 0 };

describe('least request', () => {
  it('compares all hosts where it is told to, and takes each of equals as often (Envoy FULL_SCAN)', () => {
    const hosts = [3, 1, 2, 1, 1].map((active) => hostOf({ active }));
    const picker = createPicker({ kind: 'least-request', choiceCount: 2, fullScan: true }, hosts, START);
    const counts = countPicks(picker, hosts, 9_000);
    for (const [index, share] of [0, 1 / 3, 0, 1 / 3, 1 / 3].entries())
      expect(share === 0 ? counts[index] === 0 : isWithinBinomial(counts[index] ?? 0, 9_000, share)).toBe(true);
  });

  it('takes the less busy of the hosts it draws, the first of equals', () => {
    const hosts = [5, 2, 2, 0].map((active) => hostOf({ active }));
    const drawn = (...draws: number[]): number => {
      const picker = createPicker({ kind: 'least-request', choiceCount: draws.length }, hosts, START);
      return pick(picker, hosts, { ...drawFor(''), random: () => draws.shift() ?? 0 });
    };
    expect(drawn(0, 1)).toBe(1);
    expect(drawn(2, 1)).toBe(2);
    expect(drawn(0, 1, 3)).toBe(3);
    expect(drawn(0, 0)).toBe(0);
  });

  it.each([
    { bias: undefined, counts: [1_000, 2_000] },
    { bias: 0, counts: [2_000, 1_000] },
    { bias: 2, counts: [333, 2_667] },
  ])('with weights, a host with requests under way counts weight / (active + 1)^$bias', ({ bias, counts }) => {
    const hosts = [hostOf({ weight: 2, active: 3 }), hostOf({})];
    const settings = bias === undefined ? {} : { activeRequestBias: bias };
    const picker = createPicker({ kind: 'least-request', choiceCount: 2, ...settings }, hosts, START);
    const picks = countPicks(picker, hosts, 3_000);
    expect(picks).toEqual(counts);
  });
});

describe('ring hash', () => {
  it('moves only the keys of the host that went where the others keep their number of entries', () => {
    const hosts = hostList(new Array<number>(20).fill(1));
    const kind: Kind = { name: 'one entry each', balancer: ring('xx-hash', 1), weighted: true, slack: 1 };
    const lost = countPicks(pickerOf(kind, hosts), hosts, 5_000)[7] ?? 0;
    expect(movedShare(kind, hosts, hosts.toSpliced(7, 1))).toBe(lost / 5_000);
  });
});
