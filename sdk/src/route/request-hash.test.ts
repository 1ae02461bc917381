import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { HashPolicy } from '../model/action.ts';
import type { Hash64 } from '../model/hash.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { type HashContext, requestHash } from './request-hash.ts';
import { configuration, forward, request, route, virtualHost } from './route.fixture.ts';
import type { CompiledHashPolicy } from './table.ts';

/** Policies as the table compiles them. */
function compiled(...policies: HashPolicy[]): readonly CompiledHashPolicy[] {
  const table = compileRouteTable(
    configuration([virtualHost('v', ['*'], [route('r', {}, forward({ a: 1 }, { hashPolicies: policies }))])]),
  );
  const decision = decide(table, request(), () => 0);
  return decision.kind === 'route' && decision.action.kind === 'forward' ? decision.action.hashPolicies : [];
}

const context = (more: Partial<HashContext> & { headers?: string[]; path?: string } = {}): HashContext => ({
  request: request({ headers: more.headers ?? [], path: more.path ?? '/' }),
  random: () => 0xab,
  ...more,
});
const byHeader = (name: string, terminal = false): HashPolicy => ({ kind: 'header', name, terminal });
const asBigInt = (hash: Hash64 | undefined) => hash && (BigInt(hash.hi) << 32n) | BigInt(hash.lo);
const rotl1 = (value: bigint) => ((value << 1n) | (value >> 63n)) & ((1n << 64n) - 1n);

describe('requestHash (Envoy RouteAction.hash_policy)', () => {
  it.each<[rule: string, policy: HashPolicy, more: Parameters<typeof context>[0], hashed: string | undefined]>([
    ['a header', byHeader('X-User'), { headers: ['x-user', 'bob'] }, 'bob'],
    ['an empty header', byHeader('x'), { headers: ['x', ''] }, ''],
    ['an absent header', byHeader('x'), {}, undefined],
    [
      'a header Envoy keeps once, joined as it came',
      byHeader('accept'),
      { headers: ['accept', 'b', 'accept', 'a'] },
      'b,a',
    ],
    ['the authority', byHeader(':authority'), {}, 'reviews:9080'],
    ['the host', byHeader('host'), {}, 'reviews:9080'],
    ['the path', byHeader(':path'), { path: '/a?b' }, '/a?b'],
    ['the method', byHeader(':method'), {}, 'GET'],
    ['the scheme', byHeader(':scheme'), {}, 'http'],
    [
      'a header rewritten',
      { ...byHeader('x'), regexRewrite: { pattern: '^/(\\w+)/.*$', substitution: '\\1' } } as HashPolicy,
      { headers: ['x', '/a/b'] },
      'a',
    ],
    [
      'a rewrite that does not compile changes nothing',
      { ...byHeader('x'), regexRewrite: { pattern: '(', substitution: '' } } as HashPolicy,
      { headers: ['x', 'a'] },
      'a',
    ],
    [
      'a cookie',
      { kind: 'cookie', name: 'user', path: '', terminal: false },
      { headers: ['cookie', 'a=b; user=bob'] },
      'bob',
    ],
    [
      'an absent cookie without a ttl',
      { kind: 'cookie', name: 'user', path: '', terminal: false },
      { headers: ['cookie', 'users=x'] },
      undefined,
    ],
    ['a query parameter', { kind: 'query-parameter', name: 'u', terminal: false }, { path: '/?u=bob&u=x' }, 'bob'],
    ['an absent query parameter', { kind: 'query-parameter', name: 'u', terminal: false }, {}, undefined],
    ['the source address', { kind: 'source-ip', terminal: false }, { sourceIp: '10.0.0.1' }, '10.0.0.1'],
    ['no source address', { kind: 'source-ip', terminal: false }, {}, undefined],
  ])('%s', (_, policy, more, hashed) => {
    expect(requestHash(compiled(policy), context(more))).toEqual({
      hash: hashed === undefined ? undefined : xxHash64(hashed),
    });
  });

  it.each([
    ['user="quoted"', 'quoted'],
    ['user=a; user=b', 'a'],
    ['  user=spaced', 'spaced'],
    ['user', undefined],
    ['user=', undefined],
    ['user=a=b', 'a=b'],
    ['user="', '"'],
    ['bad; user=x', 'x'],
  ])('reads the cookie header %j', (cookie, hashed) => {
    const policy = compiled({ kind: 'cookie', name: 'user', path: '', terminal: false });
    expect(requestHash(policy, context({ headers: ['cookie', cookie] })).hash).toEqual(
      hashed === undefined ? undefined : xxHash64(hashed),
    );
  });

  it.each([
    [60_000, '/p', 'user="000000ab000000ab"; Max-Age=60; Path=/p; HttpOnly'],
    [0, '', 'user="000000ab000000ab"; HttpOnly'],
    [999, '', 'user="000000ab000000ab"; HttpOnly'],
  ])('makes a missing cookie with a ttl of %i ms (Envoy HashPolicy.Cookie.ttl)', (ttlMs, path, setCookie) => {
    const made = requestHash(compiled({ kind: 'cookie', name: 'user', path, ttlMs, terminal: false }), context());
    expect(made).toEqual({ hash: xxHash64('000000ab000000ab'), setCookies: [setCookie] });
  });

  it('gives a made cookie its attributes, as written (Envoy HashPolicy.Cookie.attributes)', () => {
    const attributes = [
      { name: 'SameSite', value: 'Lax' },
      { name: 'Secure', value: '' },
    ];
    const made = requestHash(
      compiled({ kind: 'cookie', name: 'u', path: '/p', ttlMs: 1_500, attributes, terminal: false }),
      context(),
    );
    expect(made.setCookies).toEqual(['u="000000ab000000ab"; Max-Age=1; Path=/p; SameSite=Lax; Secure; HttpOnly']);
  });

  it('makes a cookie for each policy that misses one, and none where it may not', () => {
    const cookies = compiled(
      { kind: 'cookie', name: 'u', path: '', ttlMs: 0, terminal: false },
      { kind: 'cookie', name: 't', path: '', ttlMs: 0, terminal: false },
    );
    expect(requestHash(cookies, context()).setCookies).toHaveLength(2);
    expect(requestHash(cookies, { request: request(), random: undefined })).toEqual({ hash: undefined });
  });

  it('chains the values of a repeated header by their seeds, in sorted order', () => {
    const expected = xxHash64('c', xxHash64('b', xxHash64('a')));
    for (const order of ['abc', 'cab', 'bca']) {
      const headers = [...order].flatMap((value) => ['x', value]);
      expect(requestHash(compiled(byHeader('x')), context({ headers })).hash).toEqual(expected);
    }
  });

  it('has no hash without a policy', () => {
    expect(requestHash([], context())).toEqual({ hash: undefined });
  });

  it('combines as rotl1(hash) ^ next, and stops after a terminal policy that had a hash', () => {
    const headers = ['a', '1', 'b', '2'];
    const [a, b] = ['1', '2'].map((text) => asBigInt(xxHash64(text)) ?? 0n);
    const both = requestHash(compiled(byHeader('a'), byHeader('none'), byHeader('b')), context({ headers }));
    expect(asBigInt(both.hash)).toBe(rotl1(a ?? 0n) ^ (b ?? 0n));
    expect(asBigInt(requestHash(compiled(byHeader('a', true), byHeader('b')), context({ headers })).hash)).toBe(a);
    expect(asBigInt(requestHash(compiled(byHeader('none', true), byHeader('b')), context({ headers })).hash)).toBe(b);
  });

  it('combines any number of policies as 64-bit arithmetic does', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 4 }), { minLength: 1, maxLength: 5 }), (values) => {
        const headers = values.flatMap((value, i) => [`h${i}`, value]);
        const policies = values.map((_, i) => byHeader(`h${i}`));
        const expected = values.reduce<bigint | undefined>(
          (sum, value) =>
            sum === undefined ? asBigInt(xxHash64(value)) : rotl1(sum) ^ (asBigInt(xxHash64(value)) ?? 0n),
          undefined,
        );
        expect(asBigInt(requestHash(compiled(...policies), context({ headers })).hash)).toBe(expected);
      }),
    );
  });
});
