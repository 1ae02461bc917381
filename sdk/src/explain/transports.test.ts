import { describe, expect, it } from 'vitest';
import { cluster, createStage } from '../call/call.fixture.ts';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import type { UpstreamTls } from '../model/tls.ts';
import { route } from '../route/route.fixture.ts';
import { type OwnIdentity, transportNotes } from './transports.ts';

const own: OwnIdentity = { id: 'spiffe://cluster.local/ns/a/sa/b', missing: '' };
const mutual: UpstreamTls = {
  sni: 'outbound_.80_._.c',
  alpn: [],
  certificate: { kind: 'identity' },
  roots: { kind: 'mesh' },
  subjectAltNames: [{ type: 'uri', kind: 'exact', value: 'spiffe://cluster.local/ns/a/sa/c' }],
};
const simple: UpstreamTls = { alpn: [], roots: { kind: 'system' }, subjectAltNames: [] };

async function notes(more: Partial<Cluster>, endpoints: readonly (number | Partial<Endpoint>)[] = [1], as = own) {
  const target = await createStage().target([route('r')], { a: cluster('a', endpoints, more) });
  return transportNotes(target.upstreams.get('a'), as);
}

describe('how endpoints are spoken to', () => {
  it('mutual TLS: as whom, who is expected, by which roots', async () => {
    expect(await notes({ tls: mutual })).toEqual([
      "mTLS as spiffe://cluster.local/ns/a/sa/b, expects spiffe://cluster.local/ns/a/sa/c, by the mesh's roots, asked for as outbound_.80_._.c",
    ]);
  });

  it('without an identity it says that calls fail, and why', async () => {
    const as = { id: undefined, missing: 'set INMESH_TOKEN' };
    expect((await notes({ tls: mutual }, [1], as))[0]).toContain('as nobody: calls fail (set INMESH_TOKEN)');
  });

  it('some endpoints by TLS and some in clear, and why', async () => {
    const transportMatches = [
      { name: 'tls', match: new Map([['tlsMode', 'istio']]), tls: mutual },
      { name: 'raw', match: new Map(), tls: undefined },
    ];
    const endpoints = [{ port: 1, transportMatch: new Map([['tlsMode', 'istio']]) }, 2, 3];
    expect(await notes({ transportMatches }, endpoints)).toEqual([
      expect.stringMatching(/^mTLS as .*, 1 of 3 endpoints$/),
      'plain text: TLS is for endpoints with tlsMode=istio, 2 of 3 endpoints',
    ]);
  });

  it.each([
    [simple, "TLS, expects the name that is dialled, by the platform's roots"],
    [{ ...simple, sni: 'a.test' }, "TLS, expects a.test, by the platform's roots, asked for as a.test"],
    [
      { ...simple, roots: { kind: 'unchecked' } },
      'TLS, expects anybody, by no roots at all: its certificate is NOT checked',
    ],
    [
      { ...simple, roots: { kind: 'secret', name: 's' }, certificate: { kind: 'secret', name: 'c' } },
      'mTLS with the certificate of secret c, expects the name that is dialled, by the roots of secret s',
    ],
    [
      {
        ...simple,
        roots: { kind: 'inline', pem: 'MY ROOT' },
        certificate: { kind: 'inline', certificate: 'MY CERTIFICATE', key: 'MY KEY' },
        pins: [{ of: 'public-key', sha256: 'x' }],
      },
      'mTLS with a certificate of the configuration, expects the name that is dialled, of a pinned certificate, by roots of the configuration',
    ],
  ] as [UpstreamTls, string][])('without a word of keys: %#', async (tls, note) => {
    expect(await notes({ tls })).toEqual([note]);
  });

  it('a cluster that asks for nothing needs no words', async () => {
    expect(await notes({})).toEqual([]);
  });
});
