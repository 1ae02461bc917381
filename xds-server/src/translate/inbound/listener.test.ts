import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { meshConfig, peerAuthentication } from '../fixtures/mutual-tls.ts';
import { objectsOf, viewFrom, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import { limitsOf } from '../limit/limits.ts';
import { LISTENER_TYPE } from '../resource-types.ts';
import type { View } from '../view.ts';
import { applicationClusterOf } from './application.ts';
import { inboundListener } from './listener.ts';

const NAME = 'xds.istio.io/grpc/lds/inbound/0.0.0.0:9080';
const REVIEWS = new Map([['app', 'reviews']]);

interface Asked {
  readonly kind?: View['kind'];
  readonly labels?: ReadonlyMap<string, string>;
  readonly name?: string;
  readonly plaintext?: boolean;
}

const listenerJson = (yaml: readonly string[], asked: Asked = {}): JsonObject | undefined => {
  const { kind = 'sdk', labels = REVIEWS, name = NAME, plaintext = false } = asked;
  const world = worldFromObjects(objectsOf(...yaml), { plaintext });
  const made = inboundListener(world, viewFrom('default', { kind, labels }), name);
  return made && (toJson(ListenerSchema, made, { registry }) as JsonObject);
};

const chainsOf = (made: JsonObject | undefined): readonly JsonObject[] => (made?.filterChains ?? []) as JsonObject[];

const mode = (word: string) => peerAuthentication(`{ mtls: { mode: ${word} } }`);

const sidecar = (spec: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: default, namespace: default }\nspec: ${spec}\n`;

const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
const ADS = { ads: {}, resourceApiVersion: 'V3' };
const HCM = type('filters.network.http_connection_manager.v3.HttpConnectionManager');
const MESH_ALPN = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

const manager = (more: object = {}) => ({
  name: 'envoy.filters.network.http_connection_manager',
  typedConfig: {
    '@type': HCM,
    routeConfig: {
      name: 'inbound',
      virtualHosts: [
        { name: 'inbound', domains: ['*'], routes: [{ match: { prefix: '/' }, nonForwardingAction: {} }] },
      ],
    },
    httpFilters: [
      { name: 'envoy.filters.http.router', typedConfig: { '@type': type('filters.http.router.v3.Router') } },
    ],
    ...more,
  },
});
/** X-Forwarded-Client-Cert as Istio's sidecars write it. */
const XFCC = {
  forwardClientCertDetails: 'APPEND_FORWARD',
  setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
};
const FILTERS = [manager(XFCC)];

const downstream = (commonTlsContext: object, requireClientCertificate = true) => ({
  name: 'envoy.transport_sockets.tls',
  typedConfig: {
    '@type': type('transport_sockets.tls.v3.DownstreamTlsContext'),
    commonTlsContext,
    requireClientCertificate,
  },
});
const TLS_PARAMS = { tlsMinimumProtocolVersion: 'TLSv1_2', tlsMaximumProtocolVersion: 'TLSv1_3' };
const sds = (name: string, kind: View['kind']) => (kind === 'sdk' ? { name } : { name, sdsConfig: ADS });
const meshTls = (alpn: readonly string[], domains = ['cluster.local'], kind: View['kind'] = 'sdk') =>
  downstream({
    tlsParams: TLS_PARAMS,
    alpnProtocols: alpn,
    tlsCertificateSdsSecretConfigs: [sds('default', kind)],
    combinedValidationContext: {
      defaultValidationContext: { matchSubjectAltNames: domains.map((domain) => ({ prefix: `spiffe://${domain}/` })) },
      validationContextSdsSecretConfig: sds('ROOTCA', kind),
    },
  });
const SDK_TLS = meshTls(['h2', 'http/1.1', 'istio']);

describe('inbound listener of the SDK', () => {
  it('STRICT: one way in, with a certificate of the mesh; PeerAuthentication that decided', () => {
    expect(listenerJson([mode('STRICT')])).toEqual({
      name: NAME,
      address: { socketAddress: { address: '0.0.0.0', portValue: 9080 } },
      filterChains: [{ name: 'inbound-mtls', filters: FILTERS, transportSocket: SDK_TLS }],
      metadata: {
        filterMetadata: {
          istio: { config: '/apis/security.istio.io/v1/namespaces/default/peer-authentication/default' },
        },
      },
    });
  });

  it.each([[[]], [[mode('PERMISSIVE')]]])(
    'PERMISSIVE, and where nothing is said: the mesh’s TLS, an application’s own, clear text',
    (yaml) => {
      expect(listenerJson(yaml)?.filterChains).toEqual([
        {
          name: 'inbound-mtls',
          filterChainMatch: { transportProtocol: 'tls', applicationProtocols: MESH_ALPN },
          filters: FILTERS,
          transportSocket: SDK_TLS,
        },
        { name: 'inbound-tls', filterChainMatch: { transportProtocol: 'tls' }, filters: FILTERS },
        { name: 'inbound-plaintext', filterChainMatch: { transportProtocol: 'raw_buffer' }, filters: FILTERS },
      ]);
    },
  );

  it('nobody said anything: no name in its metadata', () => {
    expect(listenerJson([])).not.toHaveProperty('metadata');
  });

  it('DISABLE: whatever comes', () => {
    expect(listenerJson([mode('DISABLE')])?.filterChains).toEqual([{ name: 'inbound-plaintext', filters: FILTERS }]);
  });

  it('--plaintext: whatever comes, STRICT or not', () => {
    const made = listenerJson([mode('STRICT')], { plaintext: true });
    expect(made?.filterChains).toEqual([{ name: 'inbound-plaintext', filters: FILTERS }]);
    expect(made).not.toHaveProperty('metadata');
  });

  it('clients of every alias of the trust domain', () => {
    const config = meshConfig('{ trustDomain: new.example, trustDomainAliases: [old.example] }');
    expect(listenerJson([mode('STRICT'), config])).toMatchObject({
      filterChains: [{ transportSocket: meshTls(['h2', 'http/1.1', 'istio'], ['new.example', 'old.example']) }],
    });
  });

  it('an IPv6 address is written as it is listened on', () => {
    const name = 'xds.istio.io/grpc/lds/inbound/[::1]:9080';
    expect(listenerJson([], { name })).toMatchObject({ name, address: { socketAddress: { address: '::1' } } });
  });

  it.each(['reviews:9080', '0.0.0.0', '0.0.0.0:0', '0.0.0.0:99999', ''])('%s is no address to listen on', (at) => {
    expect(listenerJson([], { name: `xds.istio.io/grpc/lds/inbound/${at}` })).toBeUndefined();
  });
});

describe('inbound listener of an Envoy', () => {
  it('PERMISSIVE: it is told to look at the first bytes, and keeps the mesh’s marks out of what it agrees on', () => {
    expect(listenerJson([], { kind: 'envoy' })).toMatchObject({
      listenerFilters: [
        {
          name: 'envoy.filters.listener.tls_inspector',
          typedConfig: { '@type': type('filters.listener.tls_inspector.v3.TlsInspector') },
        },
      ],
      filterChains: [
        { name: 'inbound-mtls', transportSocket: meshTls(['h2', 'http/1.1'], undefined, 'envoy') },
        { name: 'inbound-plaintext', filterChainMatch: { transportProtocol: 'raw_buffer' } },
      ],
    });
  });

  const actionOf = (made: JsonObject | undefined): unknown => {
    const text = JSON.stringify(chainsOf(made)[0]?.filters);
    return /"nonForwardingAction":\{\}/.test(text) ? 'stays' : /"cluster":"([^"]+)"/.exec(text)?.[1];
  };

  it('forwards to the application behind it, by Istio’s name; an Envoy that would call itself does not', () => {
    const envoy = { kind: 'envoy' } as const;
    const name = 'xds.istio.io/grpc/lds/inbound/10.0.0.1:9080';
    const behind = (endpoint: string) =>
      sidecar(`{ ingress: [{ port: { number: 9080 }, defaultEndpoint: "${endpoint}" }] }`);
    expect(actionOf(listenerJson([], { ...envoy, name }))).toBe('inbound|9080||');
    expect(actionOf(listenerJson([], envoy))).toBe('stays');
    expect(actionOf(listenerJson([behind('127.0.0.1:9080')], envoy))).toBe('stays');
    expect(actionOf(listenerJson([behind('127.0.0.1:8080')], envoy))).toBe('inbound|9080||');
    expect(actionOf(listenerJson([behind('unix:///app.sock')], envoy))).toBe('inbound|9080||');
    for (const kind of ['sdk', 'grpc'] as const) expect(actionOf(listenerJson([], { kind, name }))).toBe('stays');
  });

  it.each([
    ['', { socketAddress: { address: '127.0.0.1', portValue: 9080 } }],
    ['defaultEndpoint: "127.0.0.1:8080"', { socketAddress: { address: '127.0.0.1', portValue: 8080 } }],
    ['defaultEndpoint: "0.0.0.0:8080"', { socketAddress: { address: '127.0.0.1', portValue: 8080 } }],
    ['defaultEndpoint: "unix:///app.sock"', { pipe: { path: '/app.sock' } }],
  ])('the application’s cluster, with the limits of what comes in: %s', (endpoint, address) => {
    const yaml = `{ ingress: [{ port: { number: 9080 }, ${endpoint} }], inboundConnectionPool: { tcp: { maxConnections: 3 }, http: { http2MaxRequests: 5 } } }`;
    const world = worldFromObjects(objectsOf(sidecar(yaml)));
    const made = applicationClusterOf(world, viewFrom('default', { kind: 'envoy' }), 'inbound|9080||');
    expect(made && toJson(ClusterSchema, made, { registry })).toMatchObject({
      loadAssignment: { endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
      circuitBreakers: { thresholds: [{ maxConnections: 3, maxRequests: 5 }] },
    });
    expect(applicationClusterOf(world, viewFrom('default'), 'inbound|9080||')).toBeUndefined();
    for (const name of ['inbound|0||', 'inbound|99999||', 'inbound|9080|v1|', 'outbound|9080||']) {
      expect(applicationClusterOf(world, viewFrom('default', { kind: 'envoy' }), name)).toBeUndefined();
    }
  });

  it.each(['STRICT', 'DISABLE'])('%s: nothing to look at', (word) => {
    expect(listenerJson([mode(word)], { kind: 'envoy' })).not.toHaveProperty('listenerFilters');
  });
});

describe('inbound listener of a gRPC server (gRFC A36, Istio grpcgen)', () => {
  const grpc = { kind: 'grpc' } as const;
  const own = { instanceName: 'default', certificateName: 'default' };
  const roots = { instanceName: 'default', certificateName: 'ROOTCA' };
  const mutual = {
    name: 'inbound-mtls',
    filters: [manager()],
    transportSocket: downstream({
      tlsCertificateProviderInstance: own,
      tlsCertificateCertificateProviderInstance: own,
      combinedValidationContext: {
        defaultValidationContext: { caCertificateProviderInstance: roots },
        validationContextCertificateProviderInstance: roots,
      },
    }),
  };
  const plain = { name: 'inbound-plaintext', filters: [manager()] };

  it('STRICT: certificate providers, a client certificate required, one connection manager and nothing else', () => {
    const made = listenerJson([mode('STRICT')], grpc);
    expect(made?.filterChains).toEqual([mutual]);
    expect(made).not.toHaveProperty('listenerFilters');
  });

  it('PERMISSIVE is clear text, unless its label tells clients that it takes TLS', () => {
    expect(listenerJson([mode('PERMISSIVE')], grpc)?.filterChains).toEqual([plain]);
    const labels = new Map([['security.istio.io/tlsMode', 'istio']]);
    expect(listenerJson([mode('PERMISSIVE')], { ...grpc, labels })?.filterChains).toEqual([mutual]);
    expect(listenerJson([mode('DISABLE')], { ...grpc, labels })?.filterChains).toEqual([plain]);
  });

  it('no limit that it would refuse', () => {
    const pool =
      '{ inboundConnectionPool: { tcp: { maxConnections: 3, maxConnectionDuration: 9s }, http: { http2MaxRequests: 5 } } }';
    const made = listenerJson([sidecar(pool), mode('DISABLE')], grpc);
    expect(made?.filterChains).toEqual([plain]);
    expect(made?.metadata).toEqual({
      filterMetadata: { istio: { config: expect.stringMatching(/peer-authentication\/default$/) } },
    });
  });
});

describe('limitsOf, of a gRPC server’s listener', () => {
  const limits = (yaml: readonly string[], labels = REVIEWS) => {
    const world = worldFromObjects(objectsOf(...yaml), { plaintext: false });
    return limitsOf(world, viewFrom('default', { kind: 'grpc', labels }), LISTENER_TYPE, NAME).map(
      ({ resource, fieldPath, message }) => `${resource} ${fieldPath}: ${message}`,
    );
  };

  it('names what it has no field for', () => {
    expect(limits([mode('STRICT')])).toEqual([]);
    expect(limits([mode('PERMISSIVE')])).toEqual([
      expect.stringMatching(/^PeerAuthentication default\/default spec.mtls.mode: .*TLS is refused/),
    ]);
    const labels = new Map([...REVIEWS, ['security.istio.io/tlsMode', 'istio']]);
    expect(limits([mode('PERMISSIVE')], labels)).toEqual([expect.stringContaining('plain text is refused')]);
    const pool = 'connectionPool: { tcp: { maxConnections: 5 } }';
    expect(limits([mode('STRICT'), sidecar(`{ inboundConnectionPool: { tcp: { maxConnections: 5 } } }`)])).toEqual([
      'Sidecar default/default spec.inboundConnectionPool: a gRPC server has limits of its own',
    ]);
    const own = `{ ingress: [{ port: { number: 9080, protocol: HTTPS }, ${pool}, tls: { mode: SIMPLE, credentialName: web } }] }`;
    expect(limits([mode('DISABLE'), sidecar(own)])).toEqual([
      'Sidecar default/default spec.ingress[0].connectionPool: a gRPC server has limits of its own',
      expect.stringMatching(/spec.ingress\[0\].tls: .*mutual TLS of the mesh takes its place/),
    ]);
    expect(chainsOf(listenerJson([mode('DISABLE'), sidecar(own)], { kind: 'grpc' }))).toMatchObject([
      { name: 'inbound-mtls', transportSocket: { typedConfig: { requireClientCertificate: true } } },
    ]);
  });
});

describe('Sidecar, inbound', () => {
  const POOL =
    '{ tcp: { maxConnections: 100, maxConnectionDuration: 1h }, http: { idleTimeout: 60s, maxRequestsPerConnection: 7, maxConcurrentStreams: 9, http2MaxRequests: 50 } }';
  const limited = manager({
    ...XFCC,
    commonHttpProtocolOptions: { idleTimeout: '60s', maxConnectionDuration: '3600s', maxRequestsPerConnection: 7 },
    http2ProtocolOptions: { maxConcurrentStreams: 9 },
  });
  const limit = (most: string) => ({
    name: 'envoy.filters.network.connection_limit',
    typedConfig: {
      '@type': type('filters.network.connection_limit.v3.ConnectionLimit'),
      statPrefix: 'inbound',
      maxConnections: most,
    },
  });

  it('inboundConnectionPool holds on every way into every port', () => {
    const made = listenerJson([sidecar(`{ inboundConnectionPool: ${POOL} }`)]);
    expect(made?.filterChains).toHaveLength(3);
    expect(made?.filterChains).toEqual(
      expect.arrayContaining([expect.objectContaining({ filters: [limit('100'), limited] })]),
    );
    expect(made?.metadata).toEqual({ filterMetadata: { 'inmesh.inbound': { max_requests: 50 } } });
  });

  it('requests under way are counted by the SDK alone: an Envoy counts them where it forwards', () => {
    expect(listenerJson([sidecar(`{ inboundConnectionPool: ${POOL} }`)], { kind: 'envoy' })).not.toHaveProperty(
      'metadata',
    );
  });

  it('ingress[].connectionPool replaces it for its port, on the address it is bound to', () => {
    const entry = (bind: string) =>
      `{ inboundConnectionPool: ${POOL}, ingress: [{ port: { number: 9080 }, bind: ${bind}, connectionPool: { tcp: { maxConnections: 5 } } }] }`;
    const first = (yaml: string, name = NAME) =>
      chainsOf(listenerJson([sidecar(yaml), mode('DISABLE')], { name }))[0]?.filters;
    const at = 'xds.istio.io/grpc/lds/inbound/10.0.0.1:9080';
    expect(first(entry('10.0.0.1'), at)).toEqual([limit('5'), manager(XFCC)]);
    expect(first(entry('0.0.0.0'), at)).toEqual([limit('5'), manager(XFCC)]);
    expect(first(entry('10.0.0.2'), at)).toEqual([limit('100'), limited]);
    expect(first(entry('10.0.0.1'), at.replace('9080', '9081'))).toEqual([limit('100'), limited]);
  });

  it('ingress[].tls: the service’s own certificate where the port takes no mTLS', () => {
    const own = (tls: string) => sidecar(`{ ingress: [{ port: { number: 9080, protocol: HTTPS }, tls: ${tls} }] }`);
    const sockets = (tls: string, word = 'DISABLE') =>
      chainsOf(listenerJson([own(tls), mode(word)])).map(({ name, transportSocket }) => [name, transportSocket]);
    const certificate = { certificateChain: { filename: '/c.pem' }, privateKey: { filename: '/k.pem' } };
    const files = 'serverCertificate: /c.pem, privateKey: /k.pem';
    const common = { tlsParams: TLS_PARAMS, alpnProtocols: ['h2', 'http/1.1'] };
    expect(sockets(`{ mode: SIMPLE, ${files}, minProtocolVersion: TLSV1_3 }`)).toEqual([
      [
        'inbound-tls',
        downstream(
          {
            ...common,
            tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_3' },
            tlsCertificates: [certificate],
          },
          false,
        ),
      ],
    ]);
    const validationContext = { trustedCa: { filename: '/ca.pem' }, matchSubjectAltNames: [{ exact: 'a.b' }] };
    expect(sockets(`{ mode: MUTUAL, ${files}, caCertificates: /ca.pem, subjectAltNames: [a.b] }`)).toEqual([
      ['inbound-tls', downstream({ ...common, tlsCertificates: [certificate], validationContext })],
    ]);
    const bySecret = {
      ...common,
      tlsCertificateSdsSecretConfigs: [{ name: 'kubernetes://web' }],
      combinedValidationContext: {
        defaultValidationContext: {},
        validationContextSdsSecretConfig: { name: 'kubernetes://web-cacert' },
      },
    };
    expect(sockets('{ mode: OPTIONAL_MUTUAL, credentialName: web }')).toEqual([
      ['inbound-tls', downstream(bySecret, false)],
    ]);
    expect(sockets('{ mode: SIMPLE, credentialName: web }', 'STRICT')).toEqual([['inbound-mtls', SDK_TLS]]);
  });
});
