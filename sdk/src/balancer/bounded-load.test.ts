import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BoundedLoad, pickBounded, pickTable } from './bounded-load.ts';
import { xxHash64 } from './hash/xx-hash-64.ts';
import { buildMaglev } from './maglev.ts';
import { normaliseWeights } from './normalise.ts';

interface BusyHost {
  readonly weight: number;
  readonly hashKey: string;
  active: number;
}

const hostList = (weights: readonly number[]): BusyHost[] =>
  weights.map((weight, index) => ({ weight, hashKey: `10.1.0.${index}:80`, active: 0 }));

function boundedOver(hosts: readonly BusyHost[], balanceFactor: number): BoundedLoad {
  const weights = normaliseWeights([{ weight: 1, hosts }]);
  const steps = buildMaglev(weights, 251);
  for (;;) {
    const step = steps.next();
    if (step.done) return { kind: 'bounded', table: step.value, shares: weights.shares, balanceFactor };
  }
}

/** Picks that are not released; the host of each. */
function pickAndHold(state: BoundedLoad, hosts: readonly BusyHost[], keys: readonly string[]): number[] {
  return keys.map((key, active) => {
    const index = pickBounded(state, hosts, { hash: xxHash64(key), attempt: 0, active });
    const host = hosts[index];
    if (host !== undefined) host.active++;
    return index;
  });
}

const same = (count: number): string[] => new Array<string>(count).fill('hot');

describe('bounded load (Envoy ConsistentHashingLbConfig.hash_balance_factor)', () => {
  it('goes where the table says while the host has room', () => {
    const hosts = hostList([1, 1, 1, 1]);
    const state = boundedOver(hosts, 150);
    for (const key of ['a', 'b', 'c']) {
      const draw = { hash: xxHash64(key), attempt: 0, active: 0 };
      expect(pickBounded(state, hosts, draw)).toBe(pickTable(state.table, draw));
    }
  });

  it('no host gets much more than its share times the factor, however hot a key is', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 10 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 100, max: 300 }), (list, factor) => {
        const hosts = hostList(list);
        const state = boundedOver(hosts, factor);
        const requests = 200;
        pickAndHold(state, hosts, same(requests));
        for (const [index, host] of hosts.entries()) {
          const slots = Math.ceil(Math.ceil((requests * factor) / 100) * (state.shares[index] ?? 0));
          // A host that has just its slots full is not overloaded yet (≤ 1): one more is taken.
          expect(host.active).toBeLessThanOrEqual(slots + 1);
        }
      }),
    );
  });

  it('the same key overflows to the same hosts in the same order, another key to others', () => {
    const orderOf = (key: string): number[] => {
      const hosts = hostList(new Array<number>(12).fill(1));
      const order = pickAndHold(boundedOver(hosts, 100), hosts, new Array<string>(40).fill(key));
      return order.filter((host, at) => order.indexOf(host) === at);
    };
    expect(orderOf('a')).toEqual(orderOf('a'));
    expect(orderOf('a')).not.toEqual(orderOf('b'));
  });

  it('when all are overloaded the least overloaded one is taken', () => {
    const hosts = hostList([1, 1, 1]);
    const state = boundedOver(hosts, 100);
    for (const [index, host] of hosts.entries()) host.active = [9, 5, 7][index] ?? 0;
    expect(pickBounded(state, hosts, { hash: xxHash64('x'), attempt: 0, active: 0 })).toBe(1);
  });
});
