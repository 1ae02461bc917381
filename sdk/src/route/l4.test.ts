import { describe, expect, it } from 'vitest';
import { parseIpPrefix } from '../match/ip-prefix.ts';
import type { ConnectionChain } from '../model/l4.ts';
import { type ConnectionRequest, decideConnection } from './l4.ts';

interface Written {
  readonly names?: readonly string[];
  readonly ranges?: readonly string[];
  readonly port?: number;
  readonly to: string | Readonly<Record<string, number>>;
}

const chain = ({ names = [], ranges = [], port, to }: Written): ConnectionChain => ({
  serverNames: names,
  destinations: ranges.flatMap((range) => parseIpPrefix(range) ?? []),
  ...(port !== undefined && { port }),
  clusters: Object.entries(typeof to === 'string' ? { [to]: 1 } : to).map(([cluster, weight]) => ({ cluster, weight })),
  idleTimeoutMs: 3_600_000,
  connectAttempts: 1,
  hashSourceIp: false,
});

const decide = (chains: readonly Written[], request: Partial<ConnectionRequest> = {}, draw = 0): string => {
  const decision = decideConnection({ chains: chains.map(chain) }, { port: 443, ...request }, draw);
  return decision.kind === 'connect' ? decision.cluster : decision.kind;
};

const NAMES: readonly Written[] = [
  { to: 'any' },
  { names: ['*.example.com'], to: 'wide' },
  { names: ['*.eu.example.com'], to: 'wider' },
  { names: ['api.eu.example.com', 'db.eu.example.com'], to: 'exact' },
];

const RANGES: readonly Written[] = [
  { to: 'any' },
  { ranges: ['10.0.0.0/8'], to: 'wide' },
  { ranges: ['10.1.0.0/16', '192.0.2.1'], to: 'narrow' },
  { ranges: ['fd00::/8'], to: 'six' },
];

const MIXED: readonly Written[] = [
  { names: ['a.test'], to: 'anywhere' },
  { ranges: ['10.0.0.0/8'], names: ['b.test'], to: 'inside' },
  { port: 8443, to: 'other port' },
];

describe('decideConnection', () => {
  it.each([
    ['API.eu.example.com', 'exact'],
    ['db.eu.example.com', 'exact'],
    ['x.eu.example.com', 'wider'],
    ['x.y.eu.example.com', 'wider'],
    ['eu.example.com', 'wide'],
    ['example.com', 'any'],
    ['badexample.com', 'any'],
    [undefined, 'any'],
  ])(
    'by server name: exact, then the longest wildcard, then chains without names (Envoy server_names): %s',
    (name, to) => expect(decide(NAMES, name === undefined ? {} : { serverName: name })).toBe(to),
  );

  it('a connection without a server name fits no chain that asks for one', () => {
    expect(decide(NAMES.slice(1))).toBe('none');
    expect(decide(NAMES.slice(1), { serverName: 'other.test' })).toBe('none');
  });

  it.each([
    ['10.1.2.3', 'narrow'],
    ['10.2.2.3', 'wide'],
    ['192.0.2.1', 'narrow'],
    ['192.0.2.2', 'any'],
    ['fd00::1', 'six'],
    ['db.test', 'any'],
    [undefined, 'any'],
  ])('by the address that is dialled: the longest range (Envoy prefix_ranges): %s', (address, to) =>
    expect(decide(RANGES, address === undefined ? {} : { address })).toBe(to),
  );

  it('port, address and name narrow in this order, and what was narrowed is not taken back', () => {
    expect(decide(MIXED, { serverName: 'a.test' })).toBe('anywhere');
    expect(decide(MIXED, { serverName: 'b.test', address: '10.1.1.1' })).toBe('inside');
    // The range takes the connection; that it has no chain for the name does not bring the others back.
    expect(decide(MIXED, { serverName: 'a.test', address: '10.1.1.1' })).toBe('none');
    expect(decide(MIXED, { serverName: 'a.test', port: 8443 })).toBe('other port');
  });

  it('splits by weight: the draw modulo the sum, in order; a weight of 0 takes none', () => {
    const split = [{ to: { a: 1, b: 0, c: 3 } }];
    expect([0, 1, 2, 3, 4, 7].map((draw) => decide(split, {}, draw))).toEqual(['a', 'c', 'c', 'c', 'a', 'c']);
    expect(decide([{ to: { a: 0 } }])).toBe('none');
  });

  it('what fits nothing takes the fallback (Envoy default_filter_chain)', () => {
    const fallback = chain({ to: 'fallback' });
    expect(decideConnection({ chains: [], fallback }, { port: 1 }, 0)).toEqual({
      kind: 'connect',
      cluster: 'fallback',
      chain: fallback,
    });
    expect(decideConnection({ chains: [] }, { port: 1 }, 0)).toEqual({ kind: 'none' });
  });
});
