import { describe, expect, it } from 'vitest';
import type { UpstreamTls } from '../model/tls.ts';
import { alpnFor, isHttp2, settingsFor, tlsByCaller, verifiedTarget } from './tls.ts';

const outside: UpstreamTls = { alpn: ['x'], roots: { kind: 'system' }, subjectAltNames: [] };
const mesh: UpstreamTls = { ...outside, alpn: ['istio-peer-exchange', 'istio'] };

describe('protocols that are offered', () => {
  it.each([
    [outside, 'http1', ['http/1.1']],
    [outside, 'http2', ['h2']],
    [outside, 'auto', ['h2', 'http/1.1']],
    [outside, 'tcp', ['x']],
    [outside, 'none', []],
    // Istio's ALPN filter: the mesh's own TLS is told from the application's.
    [mesh, 'http1', ['istio-http/1.1', 'istio', 'http/1.1']],
    [mesh, 'http2', ['istio-h2', 'istio', 'h2']],
    [mesh, 'auto', ['istio-h2', 'istio-http/1.1', 'istio', 'h2', 'http/1.1']],
    [mesh, 'tcp', ['istio']],
  ] as const)('%#', (tls, spoken, offered) => {
    expect(alpnFor(tls, spoken)).toEqual(offered);
  });

  it('HTTP/2 is what either name of it says', () => {
    expect((['h2', 'istio-h2', 'http/1.1', 'istio', false, null] as const).map(isHttp2)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('settings of one connection', () => {
  it('are the same object for the same question', () => {
    const target = { tls: mesh, name: 'a' };
    expect(settingsFor(target, 'http1')).toBe(settingsFor({ ...target }, 'http1'));
    expect(settingsFor(target, 'http1')).not.toBe(settingsFor(target, 'http2'));
  });

  it('SNI is the cluster’s, the request’s host or the endpoint’s name (gRFC A101)', () => {
    const sni = (more: Partial<UpstreamTls>, hostname?: string) =>
      settingsFor({ tls: { ...mesh, ...more }, name: 'asked', ...(hostname !== undefined && { hostname }) }, 'http1')
        .sni;
    expect(sni({})).toBeUndefined();
    expect(sni({ sni: 'set' }, 'one')).toBe('set');
    expect(sni({ sni: 'set', sniFrom: 'authority' })).toBe('asked');
    expect(sni({ sni: 'set', sniFrom: 'endpoint' }, 'one')).toBe('one');
    expect(sni({ sni: 'set', sniFrom: 'endpoint' })).toBe('set');
  });

  it('are not kept without end, however many names are asked for', () => {
    const tls: UpstreamTls = { ...mesh, sniFrom: 'authority' };
    const first = settingsFor({ tls, name: '0' }, 'http1');
    for (let name = 1; name < 1_000; name++) settingsFor({ tls, name: String(name) }, 'http1');
    expect(settingsFor({ tls, name: '0' }, 'http1')).toEqual(first);
  });
});

describe('https:// by the caller', () => {
  it('is verified, also where the configuration would let it be', () => {
    const target = { tls: { ...outside, roots: { kind: 'unchecked' as const } }, name: 'a' };
    expect(verifiedTarget(target).tls.roots).toEqual({ kind: 'system' });
    expect(verifiedTarget(target).tls).toBe(verifiedTarget(target).tls);
    expect(verifiedTarget({ tls: mesh, name: 'a' }).tls).toBe(mesh);
    expect(tlsByCaller('a').tls.roots).toEqual({ kind: 'system' });
  });
});
