import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cluster } from '../call/call.fixture.ts';
import type { Endpoint } from './cluster.ts';
import type { TransportMatch, UpstreamTls } from './tls.ts';
import { transportOf, transportsInUse, transportsOf } from './transport.ts';

const tls = (sni: string): UpstreamTls => ({ sni, alpn: [], roots: { kind: 'system' }, subjectAltNames: [] });
const match = (labels: Record<string, string>, of: UpstreamTls | undefined): TransportMatch => ({
  name: 'm',
  match: new Map(Object.entries(labels)),
  tls: of,
});
const labelled = (labels: Record<string, string>): Pick<Endpoint, 'transportMatch'> => ({
  transportMatch: new Map(Object.entries(labels)),
});
const own = tls('own');
const istio = tls('istio');

describe('the transport of an endpoint (Envoy Cluster.transport_socket_matches)', () => {
  it('is the first of the matches whose labels it has all; else the cluster’s own', () => {
    const transportMatches = [match({ tlsMode: 'istio', x: 'y' }, own), match({ tlsMode: 'istio' }, istio)];
    expect(transportOf({ tls: own, transportMatches }, labelled({ tlsMode: 'istio' }))).toBe(istio);
    expect(transportOf({ tls: own, transportMatches }, labelled({ tlsMode: 'istio', x: 'y', z: '' }))).toBe(own);
    expect(transportOf({ tls: own, transportMatches }, labelled({ tlsMode: 'off' }))).toBe(own);
    expect(transportOf({ tls: own, transportMatches }, {})).toBe(own);
    expect(transportOf({ transportMatches }, {})).toBeUndefined();
    expect(transportOf({ tls: own }, {})).toBe(own);
  });

  it('an empty match is for everybody, in clear where it says so', () => {
    const transportMatches = [match({ tlsMode: 'istio' }, istio), match({}, undefined)];
    expect(transportOf({ tls: own, transportMatches }, {})).toBeUndefined();
    expect(transportOf({ tls: own, transportMatches }, labelled({ tlsMode: 'istio' }))).toBe(istio);
  });

  it('those in use are what the endpoints come to, whatever their order', () => {
    const transportMatches = [match({ a: '1' }, istio), match({ b: '1' }, undefined)];
    const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'));
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 6 }), (list) => {
        const state = cluster('c', list.map(labelled), { tls: own, transportMatches });
        if (state.kind !== 'ready') throw new Error('not ready');
        const { cluster: of, assignment } = state.config;
        const expected = new Set(list.flatMap((one) => transportOf(of, labelled(one)) ?? []));
        expect(transportsInUse(of, assignment)).toEqual(expected);
      }),
    );
    expect(transportsOf({ tls: own, transportMatches })).toEqual([own, istio]);
  });
});
