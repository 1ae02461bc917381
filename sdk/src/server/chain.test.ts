import { describe, expect, it } from 'vitest';
import type { InboundChain, InboundListener } from '../model/inbound.ts';
import {
  acceptsMutualTls,
  chooseChain,
  type InboundMode,
  listenerOfMode,
  needsIdentity,
  needsNoLook,
} from './chain.ts';

const PLAIN = { transport: 'raw_buffer', alpn: [] } as const;
const tls = (...alpn: string[]) => ({ transport: 'tls', alpn }) as const;
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
