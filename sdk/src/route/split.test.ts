import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ForwardAction } from '../model/action.ts';
import { forward } from './route.fixture.ts';
import { chooseCluster, splitRanges } from './split.ts';

const compiled = (action: ForwardAction) => ({
  ...action,
  hashPolicies: [],
  totalWeight: action.clusters.reduce((sum, { weight }) => sum + weight, 0),
});

describe('chooseCluster (Envoy WeightedCluster)', () => {
  const split = compiled(forward({ v1: 50, v2: 0, v3: 30, v4: 20 }));

  it.each([
    [0, 'v1'],
    [49, 'v1'],
    [50, 'v3'],
    [79, 'v3'],
    [80, 'v4'],
    [99, 'v4'],
    [100, 'v1'],
    [4_294_967_295, 'v4'],
  ])('draw %i falls to %s: modulo the sum, in order', (draw, name) => {
    expect(chooseCluster(split, draw)?.name).toBe(name);
  });

  it('takes weights that do not add up to 100 as they are', () => {
    expect(chooseCluster(compiled(forward({ a: 1, b: 2 })), 5)?.name).toBe('b');
  });

  it('draws unsigned: weights up to 2³² − 1', () => {
    expect(chooseCluster(compiled(forward({ a: 3_000_000_000, b: 1_000_000_000 })), 3_999_999_999)?.name).toBe('b');
  });

  it('ignores the weight of a single cluster', () => {
    expect(chooseCluster(compiled(forward({ a: 0 })), 7)?.name).toBe('a');
  });

  it('has nothing to choose without clusters or weights', () => {
    expect(chooseCluster(compiled(forward({})), 1)).toBeUndefined();
    expect(chooseCluster(compiled(forward({ a: 0, b: 0 })), 1)).toBeUndefined();
  });

  it('agrees with the ranges told to a reader', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 2, maxLength: 6 }), fc.nat(0xffff_ffff), (weights, draw) => {
        const action = compiled(forward(Object.fromEntries(weights.map((weight, i) => [`c${i}`, weight]))));
        fc.pre(action.totalWeight > 0);
        const found = splitRanges(action).find(
          ({ range }) => range && range[0] <= draw % action.totalWeight && draw % action.totalWeight <= range[1],
        );
        expect(chooseCluster(action, draw)?.name).toBe(found?.cluster);
      }),
    );
  });

  it('tells the ranges', () => {
    expect(splitRanges(split).map(({ cluster, range }) => [cluster, range])).toEqual([
      ['v1', [0, 49]],
      ['v2', undefined],
      ['v3', [50, 79]],
      ['v4', [80, 99]],
    ]);
  });
});
