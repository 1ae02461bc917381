import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { ForwardAction } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { destinationOf } from './destination.ts';
import { configuration, forward, NO_MUTATION, request, route, virtualHost } from './route.fixture.ts';

function destination(
  weights: Readonly<Record<string, number>>,
  more: Partial<ForwardAction>,
  asked: Partial<MeshRequest> = {},
  draw = 0,
): string | undefined {
  const table = compileRouteTable(configuration([virtualHost('v', ['*'], [route('r', {}, forward(weights, more))])]));
  const one = request(asked);
  const decision = decide(table, one, () => draw);
  if (decision.kind === 'none' || decision.action.kind !== 'forward') throw new Error('no forward');
  return destinationOf(decision.action, one, draw)?.name;
}

describe('destinationOf', () => {
  it('takes the first value of the header that names the cluster (Envoy RouteAction.cluster_header)', () => {
    const byHeader = { clusters: [], clusterHeader: 'x-cluster' };
    expect(destination({}, byHeader, { headers: ['x-cluster', 'b', 'x-cluster', 'c'] })).toBe('b');
    expect(destination({}, byHeader)).toBe('');
  });

  it('takes it for one of several too (Envoy ClusterWeight.cluster_header)', () => {
    const named = { weight: 1, requestHeaders: NO_MUTATION, responseHeaders: NO_MUTATION };
    const clusters = [
      { ...named, name: 'a' },
      { ...named, name: '', clusterHeader: 'x-cluster' },
    ];
    expect(destination({}, { clusters }, { headers: ['x-cluster', 'b'] }, 1)).toBe('b');
  });

  it.each([
    [['x', '9'], 'a'],
    [['x', '10'], 'b'],
    [['x', ' +110 '], 'b'],
    [['x', '18446744073709551615'], 'b'],
    [['x', '18446744073709551616'], 'a'],
    [['x', '-1'], 'a'],
    [['x', '10', 'x', '10'], 'a'],
    [[], 'a'],
  ])(
    'takes the number of a header, %j, and chance where it is none (Envoy WeightedCluster.header_name)',
    (headers, name) => {
      expect(destination({ a: 10, b: 90 }, { splitBy: { kind: 'header', name: 'x' } }, { headers })).toBe(name);
    },
  );

  it('takes the hash of the policies, without a cookie that they would make (Envoy WeightedCluster.use_hash_policy)', () => {
    const splitBy = { kind: 'hash-policies' } as const;
    const hashPolicies = [
      { kind: 'cookie', name: 'c', path: '', ttlMs: 0, terminal: false },
      { kind: 'header', name: 'x', terminal: false },
    ] as const;
    const { hi, lo } = xxHash64('1');
    const first = ((BigInt(hi) << 32n) | BigInt(lo)) % 2n === 0n;
    const asked = { headers: ['x', '1'] };
    expect(destination({ a: 1, b: 1 }, { splitBy, hashPolicies }, asked)).toBe(first ? 'a' : 'b');
    expect(destination({ a: 1, b: 1 }, { splitBy, hashPolicies }, {}, 1)).toBe('b');
  });

  it('weighs by runtime keys that are set (Envoy WeightedCluster.runtime_key_prefix)', () => {
    const keys = (runtime: Record<string, number | boolean>) => ({ runtime: new Map(Object.entries(runtime)) });
    const weigh = (runtime: Record<string, number | boolean>, draw: number) =>
      destination({ a: 90, b: 10 }, { runtimeKeyPrefix: 'w' }, keys(runtime), draw);
    expect([weigh({}, 89), weigh({ 'w.a': 0 }, 0), weigh({ 'w.a': 5.9 }, 4), weigh({ 'w.a': 5.9 }, 5)]).toEqual([
      ...['a', 'b', 'a', 'b'],
    ]);
    expect(weigh({ 'w.a': true, 'w.b': -1 }, 89)).toBe('a');
  });
});
