import { describe, expect, it } from 'vitest';
import { parseIpPrefix } from '../match/ip-prefix.ts';
import type { InboundChain, InboundListener } from '../model/inbound.ts';
import type { IpPrefix } from '../model/l4.ts';
import {
  acceptsMutualTls,
  chooseChain,
  endsOf,
  type InboundMode,
  listenerOfMode,
  NO_ENDS,
  needsIdentity,
  needsNoLook,
} from './chain.ts';

interface Asked {
  readonly to?: readonly string[];
  readonly from?: readonly string[];
  readonly ports?: readonly number[];
  readonly type?: 'any' | 'same-ip-or-loopback' | 'external';
}

const prefixOf = (text: string): IpPrefix => parseIpPrefix(text) ?? { bytes: [], length: 0 };
const PLAIN = { transport: 'raw_buffer', alpn: [], ends: NO_ENDS } as const;
const tls = (...alpn: string[]) => ({ transport: 'tls', alpn, ends: NO_ENDS }) as const;
const under = (mode: InboundMode): InboundListener => listenerOfMode(mode, '0.0.0.0', 9080);

describe('filter chains', () => {
  it.each([
    ['STRICT', PLAIN, undefined],
    ['STRICT', tls(), 'mutual-tls'],
    ['STRICT', tls('h2'), 'mutual-tls'],
    ['PERMISSIVE', PLAIN, 'plain'],
    ['PERMISSIVE', tls('istio', 'http/1.1'), 'mutual-tls'],
    ['PERMISSIVE', tls('istio-h2'), 'mutual-tls'],
    ['PERMISSIVE', tls('h2', 'http/1.1'), 'own-tls'],
    ['PERMISSIVE', tls(), 'own-tls'],
    ['DISABLE', PLAIN, 'plain'],
    ['DISABLE', tls('istio'), 'plain'],
  ] as const)('%s takes %j by the chain %s', (mode, offer, name) => {
    expect(chooseChain(under(mode), offer)?.name).toBe(name);
  });

  it('a chain that names what is offered comes before one that names nothing, in any order (FilterChainMatch)', () => {
    const permissive = under('PERMISSIVE');
    const reversed = { ...permissive, chains: [...permissive.chains].reverse() };
    expect(chooseChain(reversed, tls('istio'))?.name).toBe('mutual-tls');
  });

  it('the transport is compared first, and there is no way back', () => {
    const any: InboundChain = { ...under('DISABLE').chains[0], name: 'any' } as InboundChain;
    const only = { ...any, name: 'only-istio', transport: 'tls', applicationProtocols: ['istio'] } as const;
    const listener = { ...under('DISABLE'), chains: [any, only] };
    expect(chooseChain(listener, tls('h2'))).toBeUndefined();
    expect(chooseChain(listener, PLAIN)?.name).toBe('any');
  });

  it('the application that ends no TLS leaves it to the mesh, whatever is offered', () => {
    const mesh = chooseChain(under('PERMISSIVE'), tls('h2'), true);
    expect(mesh?.name).toBe('mutual-tls');
    expect(chooseChain(under('PERMISSIVE'), PLAIN, true)?.name).toBe('plain');
    expect(chooseChain(under('DISABLE'), tls('h2'), true)?.name).toBe('plain');
  });

  it('what it leaves to the mesh is taken by a chain for that address, or by none', () => {
    const to = (text: string, name: string): InboundChain => ({
      ...(under('PERMISSIVE').chains[0] as InboundChain),
      name,
      addresses: { destinations: [prefixOf(text)], sources: [], sourcePorts: [], sourceType: 'any' },
    });
    const listener = { ...under('PERMISSIVE'), chains: [to('10.0.0.1/32', 'one'), to('10.0.0.2/32', 'two')] };
    const at = (localAddress: string) =>
      chooseChain(listener, { ...tls('h2'), ends: endsOf({ localAddress, remoteAddress: '9.9.9.9' }) }, true)?.name;
    expect(['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(at)).toEqual(['one', 'two', undefined]);
  });

  describe('by address, most closely, and in this order (gRFC A36)', () => {
    const named = (name: string, { to = [], from = [], ports = [], type = 'any' }: Asked): InboundChain => ({
      ...(under('DISABLE').chains[0] as InboundChain),
      name,
      addresses: { destinations: to.map(prefixOf), sources: from.map(prefixOf), sourcePorts: ports, sourceType: type },
    });
    const chains = [
      named('all', {}),
      named('net', { to: ['10.0.0.0/8'] }),
      named('near', { to: ['10.1.0.0/16'] }),
      named('near-from', { to: ['10.1.0.0/16'], from: ['192.168.0.0/16'] }),
      named('near-port', { to: ['10.1.0.0/16'], from: ['192.168.0.0/16'], ports: [7] }),
      named('far', { from: ['192.168.1.1/32'] }),
      named('here', { to: ['10.0.0.0/8'], type: 'same-ip-or-loopback' }),
      { ...named('last', {}), isDefault: true } as const,
    ];
    const from = (localAddress: string, remoteAddress: string, remotePort = 1): string | undefined =>
      chooseChain(
        { ...under('DISABLE'), chains },
        { ...PLAIN, ends: endsOf({ localAddress, remoteAddress, remotePort }) },
      )?.name;

    it.each([
      ['11.0.0.1', '9.9.9.9', 1, 'all'],
      ['11.0.0.1', '192.168.1.1', 1, 'far'],
      ['10.2.0.1', '9.9.9.9', 1, 'net'],
      ['10.2.0.1', '10.2.0.1', 1, 'here'],
      ['10.2.0.1', '127.0.0.1', 1, 'here'],
      ['10.1.0.1', '9.9.9.9', 1, 'near'],
      // What is asked of the destination comes first: `far` is closer, but for less.
      ['10.1.0.1', '192.168.1.1', 1, 'near-from'],
      ['::ffff:10.1.0.1', '::ffff:192.168.1.1', 7, 'near-port'],
      ['::1', '::1', 1, 'all'],
    ])('to %s from %s:%d: %s', (local, remote, port, name) => {
      expect(from(local, remote, port)).toBe(name);
    });

    it('the default chain takes what no other does', () => {
      const some = chains.filter(({ name }) => name === 'near' || name === 'last');
      const listener = { ...under('DISABLE'), chains: [...some].reverse() };
      const ends = endsOf({ localAddress: '10.1.0.1', remoteAddress: '9.9.9.9', remotePort: 1 });
      expect(chooseChain(listener, { ...PLAIN, ends })?.name).toBe('near');
      expect(chooseChain(listener, PLAIN)?.name).toBe('last');
    });
  });

  it.each([
    ['STRICT', false, true, true],
    ['PERMISSIVE', false, true, false],
    ['DISABLE', true, false, false],
  ] as const)('%s: looks at nothing %s, takes mutual TLS %s, needs an identity %s', (mode, blind, mutual, needs) => {
    const listener = under(mode);
    expect([needsNoLook(listener), acceptsMutualTls(listener), needsIdentity(listener)]).toEqual([
      blind,
      mutual,
      needs,
    ]);
  });
});
