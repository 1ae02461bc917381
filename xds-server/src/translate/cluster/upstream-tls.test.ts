import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { ISTIO, meshConfig, peerAuthentication, service, workload } from '../fixtures/mutual-tls.ts';
import { reviewsPolicy } from '../fixtures/reviews.ts';
import { objectsOf, viewFrom, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import { clusterName } from '../names.ts';
import type { View } from '../view.ts';
import { cluster } from './cluster.ts';

const HOST = 'reviews.default.svc.cluster.local';
const V1 = 'spiffe://cluster.local/ns/default/sa/reviews-v1';
const V2 = 'spiffe://cluster.local/ns/default/sa/reviews-v2';
const STRICT = peerAuthentication('{ mtls: { mode: STRICT } }');

const MUTUAL_REVIEWS = [service(), workload('reviews-v1', 'v1', ISTIO), workload('reviews-v2', 'v2', ISTIO)];

const sockets = (
  yaml: readonly string[],
  kind: View['kind'] = 'sdk',
  { subset = '', plaintext = false } = {},
): JsonObject => {
  const world = worldFromObjects(objectsOf(...yaml), { plaintext });
  const made = cluster(world, viewFrom('default', { kind }), clusterName({ port: 9080, subset, host: HOST }));
  if (made === undefined) throw new Error('no cluster');
  const { transportSocket, transportSocketMatches } = toJson(ClusterSchema, made, { registry }) as JsonObject;
  return { ...(transportSocket && { transportSocket }), ...(transportSocketMatches && { transportSocketMatches }) };
};

const UPSTREAM = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const tls = (sni: string, commonTlsContext: object) => ({
  name: 'envoy.transport_sockets.tls',
  typedConfig: { '@type': UPSTREAM, sni, commonTlsContext },
});
const ADS = { ads: {}, resourceApiVersion: 'V3' };
const TLS_PARAMS = { tlsMinimumProtocolVersion: 'TLSv1_2', tlsMaximumProtocolVersion: 'TLSv1_3' };
const exact = (names: readonly string[]) => names.map((name) => ({ exact: name }));

/** The SDK has one stream, and needs no word of it. */
const sds = (name: string, kind: View['kind']) => (kind === 'sdk' ? { name } : { name, sdsConfig: ADS });
/** As istiod dumps it for ISTIO_MUTUAL. */
const mesh = (
  names: readonly string[],
  alpn: readonly string[] = ['istio-peer-exchange', 'istio'],
  kind: View['kind'] = 'sdk',
) => ({
  tlsParams: TLS_PARAMS,
  alpnProtocols: alpn,
  tlsCertificateSdsSecretConfigs: [sds('default', kind)],
  combinedValidationContext: {
    defaultValidationContext: names.length === 0 ? {} : { matchSubjectAltNames: exact(names) },
    validationContextSdsSecretConfig: sds('ROOTCA', kind),
  },
});
const provided = (names: readonly string[]) => {
  const own = { instanceName: 'default', certificateName: 'default' };
  const roots = { instanceName: 'default', certificateName: 'ROOTCA' };
  return {
    tlsCertificateProviderInstance: own,
    tlsCertificateCertificateProviderInstance: own,
    combinedValidationContext: {
      defaultValidationContext: { caCertificateProviderInstance: roots, matchSubjectAltNames: exact(names) },
      validationContextCertificateProviderInstance: roots,
    },
  };
};
const SNI = `outbound_.9080_._.${HOST}`;
const IN_CLEAR = {
  name: 'tlsMode-disabled',
  match: {},
  transportSocket: {
    name: 'envoy.transport_sockets.raw_buffer',
    typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer' },
  },
};
const automatic = (context: object, sni = SNI) => ({
  transportSocketMatches: [
    { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: tls(sni, context) },
    IN_CLEAR,
  ],
});

const KINDS = ['sdk', 'envoy', 'grpc'] as const;

describe('DestinationRule tls.mode, for each kind of client', () => {
  const policy = (written: string) => [...MUTUAL_REVIEWS, reviewsPolicy(`{ tls: ${written} }`)];

  it.each(KINDS)('DISABLE is clear text, whoever takes TLS: %s', (kind) => {
    expect(sockets(policy('{ mode: DISABLE }'), kind)).toEqual({});
  });

  it.each([
    ['sdk', { systemRootCerts: {} }, { tlsParams: TLS_PARAMS }],
    ['envoy', { trustedCa: { filename: '/etc/ssl/certs/ca-certificates.crt' } }, { tlsParams: TLS_PARAMS }],
  ] as const)('SIMPLE without roots of its own has the platform’s, by the name that %s knows', (kind, roots, rest) => {
    const expected = { transportSocket: tls(HOST, { ...rest, validationContext: roots }) };
    expect(sockets(policy('{ mode: SIMPLE }'), kind)).toEqual(expected);
    expect(sockets(policy('{ mode: SIMPLE, caCertificates: system }'), kind)).toEqual(expected);
  });

  it('SIMPLE: server name, names, roots and revocation list as they are written', () => {
    const written = '{ mode: SIMPLE, sni: a.b, subjectAltNames: [c.d], caCertificates: /ca.pem, caCrl: /crl.pem }';
    const validationContext = {
      trustedCa: { filename: '/ca.pem' },
      crl: { filename: '/crl.pem' },
      matchSubjectAltNames: [{ exact: 'c.d' }],
    };
    expect(sockets(policy(written))).toEqual({
      transportSocket: tls('a.b', { tlsParams: TLS_PARAMS, validationContext }),
    });
  });

  it('insecureSkipVerify: neither chain nor names are looked at, and no roots are sent', () => {
    expect(sockets(policy('{ mode: SIMPLE, insecureSkipVerify: true }'))).toEqual({
      transportSocket: tls(HOST, {
        tlsParams: TLS_PARAMS,
        validationContext: { trustChainVerification: 'ACCEPT_UNTRUSTED' },
      }),
    });
  });

  it('SIMPLE with credentialName: the secret’s roots, never the platform’s', () => {
    expect(sockets(policy('{ mode: SIMPLE, credentialName: partner, subjectAltNames: [a.b] }'))).toEqual({
      transportSocket: tls(HOST, {
        tlsParams: TLS_PARAMS,
        combinedValidationContext: {
          defaultValidationContext: { matchSubjectAltNames: [{ exact: 'a.b' }] },
          validationContextSdsSecretConfig: { name: 'kubernetes://partner-cacert' },
        },
      }),
    });
  });

  it('MUTUAL by files', () => {
    const written = '{ mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem }';
    expect(sockets(policy(written))).toEqual({
      transportSocket: tls(HOST, {
        tlsParams: TLS_PARAMS,
        tlsCertificates: [{ certificateChain: { filename: '/c.pem' }, privateKey: { filename: '/k.pem' } }],
        validationContext: { trustedCa: { filename: '/ca.pem' } },
      }),
    });
  });

  it.each(['partner', 'kubernetes://partner'])('MUTUAL by credentialName %s', (name) => {
    expect(sockets(policy(`{ mode: MUTUAL, credentialName: "${name}" }`))).toEqual({
      transportSocket: tls(HOST, {
        tlsParams: TLS_PARAMS,
        tlsCertificateSdsSecretConfigs: [{ name: 'kubernetes://partner' }],
        combinedValidationContext: {
          defaultValidationContext: {},
          validationContextSdsSecretConfig: { name: 'kubernetes://partner-cacert' },
        },
      }),
    });
  });

  it.each([
    ['sdk', mesh([V1, V2])],
    ['envoy', mesh([V1, V2], undefined, 'envoy')],
    ['grpc', provided([V1, V2])],
  ] as const)('ISTIO_MUTUAL: own identity, roots of the mesh, the accounts of the service: %s', (kind, context) => {
    expect(sockets(policy('{ mode: ISTIO_MUTUAL }'), kind)).toEqual({ transportSocket: tls(SNI, context) });
  });

  it('ISTIO_MUTUAL: names and server name that are written replace the service’s', () => {
    expect(sockets(policy('{ mode: ISTIO_MUTUAL, sni: a.b, subjectAltNames: [spiffe://x/y] }'))).toEqual({
      transportSocket: tls('a.b', mesh(['spiffe://x/y'])),
    });
  });

  it('a port-level entry without tls is automatic again, whatever stands above it (Istio MergeTrafficPolicy)', () => {
    const rule = reviewsPolicy(
      '{ tls: { mode: DISABLE }, portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: RANDOM } }] }',
    );
    expect(sockets([...MUTUAL_REVIEWS, rule])).toEqual(automatic(mesh([V1, V2])));
  });

  it.each([
    ['HTTP/2 port', [service('reviews', '{ name: http2, port: 9080 }'), workload('reviews-v1', 'v1', ISTIO)], []],
    [
      'upgrade',
      MUTUAL_REVIEWS.slice(0, 2),
      [reviewsPolicy('{ connectionPool: { http: { h2UpgradePolicy: UPGRADE } } }')],
    ],
  ])('h2 is offered where requests travel by it: %s', (_, yaml, rules) => {
    expect(sockets([...yaml, ...rules])).toEqual(automatic(mesh([V1], ['istio-peer-exchange', 'istio', 'h2'])));
  });
});

describe('auto-mTLS', () => {
  it.each(['sdk', 'envoy'] as const)('TLS towards who takes it, clear text towards the others: %s', (kind) => {
    expect(sockets(MUTUAL_REVIEWS, kind)).toEqual(automatic(mesh([V1, V2], undefined, kind)));
    expect(sockets([service(), workload('reviews-v1', 'v1', ISTIO), workload('old', 'v2')], kind)).toEqual(
      automatic(mesh(['spiffe://cluster.local/ns/default/sa/old', V1], undefined, kind)),
    );
  });

  it('where nobody takes it the SDK is told of none; an Envoy is told as Istio tells it', () => {
    const plain = [service(), workload('reviews-v1', 'v1')];
    expect(sockets(plain, 'sdk')).toEqual({});
    expect(sockets(plain, 'envoy')).toEqual(automatic(mesh([V1], undefined, 'envoy')));
  });

  it('a subset is asked for by its own name', () => {
    const rule = reviewsPolicy(
      '{ loadBalancer: { simple: RANDOM } }',
      '  subsets: [{ name: v1, labels: { version: v1 } }]',
    );
    expect(sockets([...MUTUAL_REVIEWS, rule], 'sdk', { subset: 'v1' })).toEqual(
      automatic(mesh([V1, V2]), `outbound_.9080_.v1_.${HOST}`),
    );
  });

  it('names in every alias of the trust domain', () => {
    const config = meshConfig('{ trustDomain: new.example, trustDomainAliases: [old.example] }');
    const names = ['new.example', 'old.example'].flatMap((domain) =>
      ['reviews-v1', 'reviews-v2'].map((account) => `spiffe://${domain}/ns/default/sa/${account}`),
    );
    expect(sockets([...MUTUAL_REVIEWS, config])).toEqual(automatic(mesh(names)));
  });

  it('enableAutoMtls: false, and a control plane with --plaintext, send clear text', () => {
    expect(sockets([...MUTUAL_REVIEWS, meshConfig('{ enableAutoMtls: false }')], 'envoy')).toEqual({});
    expect(sockets(MUTUAL_REVIEWS, 'envoy', { plaintext: true })).toEqual({});
  });

  it('with --plaintext ISTIO_MUTUAL still asks for an identity nobody has: calls fail, none goes in clear', () => {
    const yaml = [...MUTUAL_REVIEWS, reviewsPolicy('{ tls: { mode: ISTIO_MUTUAL } }')];
    expect(sockets(yaml, 'sdk', { plaintext: true })).toEqual({ transportSocket: tls(SNI, mesh([V1, V2])) });
  });

  it('not where connections go wherever the caller says', () => {
    expect(sockets([...MUTUAL_REVIEWS, reviewsPolicy('{ loadBalancer: { simple: PASSTHROUGH } }')])).toEqual({});
  });

  it('a gRPC client is told of TLS where it would get nowhere without', () => {
    expect(sockets(MUTUAL_REVIEWS, 'grpc')).toEqual({});
    expect(sockets([...MUTUAL_REVIEWS, STRICT], 'grpc')).toEqual({ transportSocket: tls(SNI, provided([V1, V2])) });
    expect(sockets([...MUTUAL_REVIEWS, workload('old', 'v3'), STRICT], 'grpc')).toEqual({});
    expect(sockets([service()], 'grpc')).toEqual({});
  });
});

describe('auto-mTLS, of a ServiceEntry', () => {
  const entry = (location: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: e, namespace: default }
spec:
  hosts: [${HOST}]
  location: ${location}
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  endpoints: [{ address: 10.0.0.1, labels: { security.istio.io/tlsMode: istio }, serviceAccount: api }]
${rest}`;

  it('outside the mesh nobody has an identity of it', () => {
    expect(sockets([entry('MESH_EXTERNAL')], 'envoy')).toEqual({});
  });

  it('subjectAltNames count beside the accounts of its endpoints (ServiceEntry.subjectAltNames)', () => {
    const names = ['spiffe://cluster.local/ns/default/sa/api', 'spiffe://other/ns/a/sa/b'];
    expect(sockets([entry('MESH_INTERNAL', '  subjectAltNames: [spiffe://other/ns/a/sa/b]')])).toEqual(
      automatic(mesh(names)),
    );
  });
});
