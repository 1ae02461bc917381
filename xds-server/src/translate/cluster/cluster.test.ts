import { toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsPolicy } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import type { View } from '../view.ts';
import { cluster } from './cluster.ts';

const clusterJson = (yaml: readonly string[], name = REVIEWS_ROUTES, view: View = viewFrom('default')) => {
  const made = cluster(worldFromYaml(REVIEWS, ...yaml), view, name);
  return made && toJson(ClusterSchema, made, { registry });
};

const V1 = 'outbound|9080|v1|reviews.default.svc.cluster.local';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const external = (resolution: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec:
  hosts: [api.example.com]
  ports: [{ number: 443, name: https, protocol: HTTPS }]
  location: MESH_EXTERNAL
  resolution: ${resolution}
${rest}
`;
const API = 'outbound|443||api.example.com';

const apiPolicy = (trafficPolicy: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api, namespace: default }
spec: { host: api.example.com, trafficPolicy: ${trafficPolicy} }
`;

describe('cluster', () => {
  it('of a plain service: EDS on the same stream, Istio’s defaults', () => {
    expect(clusterJson([])).toEqual({
      name: REVIEWS_ROUTES,
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' }, serviceName: REVIEWS_ROUTES },
      connectTimeout: '10s',
      lbPolicy: 'LEAST_REQUEST',
      commonLbConfig: { healthyPanicThreshold: {} },
      circuitBreakers: {
        thresholds: [
          {
            maxConnections: 4294967295,
            maxPendingRequests: 4294967295,
            maxRequests: 4294967295,
            maxRetries: 4294967295,
          },
        ],
      },
      metadata: {
        filterMetadata: {
          istio: { services: [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }] },
        },
      },
    });
  });

  it('of a subset names the DestinationRule and the subset in its metadata; an unknown subset does not exist', () => {
    expect(clusterJson([REVIEWS_SUBSETS], V1)).toMatchObject({
      edsClusterConfig: { serviceName: V1 },
      metadata: {
        filterMetadata: {
          istio: { config: '/apis/networking.istio.io/v1/namespaces/default/destination-rule/reviews', subset: 'v1' },
        },
      },
    });
    expect(clusterJson([REVIEWS_SUBSETS], V1.replace('v1', 'v9'))).toBeUndefined();
    expect(clusterJson([], V1)).toBeUndefined();
    expect(clusterJson([], 'outbound|80||nobody.default.svc.cluster.local')).toBeUndefined();
  });

  it.each([
    ['ROUND_ROBIN', 'ROUND_ROBIN'],
    ['RANDOM', 'RANDOM'],
    ['LEAST_CONN', 'LEAST_REQUEST'],
    ['LEAST_REQUEST', 'LEAST_REQUEST'],
    ['UNSPECIFIED', 'LEAST_REQUEST'],
  ])('loadBalancer simple %s is %s', (simple, lbPolicy) => {
    const made = clusterJson([reviewsPolicy(`{ loadBalancer: { simple: ${simple} } }`)]);
    // Round robin is the enum's 0, which JSON leaves out.
    expect(made).toMatchObject(lbPolicy === 'ROUND_ROBIN' ? {} : { lbPolicy });
    if (lbPolicy === 'ROUND_ROBIN') expect(made).not.toHaveProperty('lbPolicy');
  });

  it('PASSTHROUGH goes where the caller goes', () => {
    expect(clusterJson([reviewsPolicy('{ loadBalancer: { simple: PASSTHROUGH } }')])).toMatchObject({
      type: 'ORIGINAL_DST',
      lbPolicy: 'CLUSTER_PROVIDED',
    });
  });

  it.each([
    ['{ httpHeaderName: x }', 'RING_HASH', { ringHashLbConfig: { minimumRingSize: '1024' } }],
    ['{ httpHeaderName: x, minimumRingSize: 64 }', 'RING_HASH', { ringHashLbConfig: { minimumRingSize: '64' } }],
    [
      '{ httpHeaderName: x, ringHash: { minimumRingSize: 4096 } }',
      'RING_HASH',
      { ringHashLbConfig: { minimumRingSize: '4096' } },
    ],
    ['{ httpHeaderName: x, maglev: { tableSize: 1009 } }', 'MAGLEV', { maglevLbConfig: { tableSize: '1009' } }],
    ['{ httpHeaderName: x, maglev: {} }', 'MAGLEV', {}],
  ])('consistentHash %s is %s', (hash, lbPolicy, config) => {
    expect(clusterJson([reviewsPolicy(`{ loadBalancer: { consistentHash: ${hash} } }`)])).toMatchObject({
      lbPolicy,
      ...config,
    });
  });

  it('an empty ringHash block sends no minimum: Envoy’s own applies', () => {
    const made = clusterJson([
      reviewsPolicy('{ loadBalancer: { consistentHash: { httpHeaderName: x, ringHash: {} } } }'),
    ]);
    expect(made).not.toHaveProperty('ringHashLbConfig');
  });

  it('warmup is slow start', () => {
    expect(
      clusterJson([
        reviewsPolicy('{ loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 30s, minimumPercent: 20 } } }'),
      ]),
    ).toMatchObject({
      roundRobinLbConfig: { slowStartConfig: { slowStartWindow: '30s', minWeightPercent: { value: 20 } } },
    });
  });

  it('outlierDetection sends what is written and switches success rate off; {} switches it on', () => {
    const policy =
      '{ outlierDetection: { consecutive5xxErrors: 5, consecutiveGatewayErrors: 0, interval: 30s, baseEjectionTime: 15s, maxEjectionPercent: 50, minHealthPercent: 40 } }';
    expect(clusterJson([reviewsPolicy(policy)])).toMatchObject({
      outlierDetection: {
        enforcingSuccessRate: 0,
        consecutive5xx: 5,
        enforcingConsecutive5xx: 100,
        consecutiveGatewayFailure: 0,
        enforcingConsecutiveGatewayFailure: 0,
        interval: '30s',
        baseEjectionTime: '15s',
        maxEjectionPercent: 50,
      },
      commonLbConfig: { healthyPanicThreshold: { value: 40 }, localityWeightedLbConfig: {} },
    });
    expect(clusterJson([reviewsPolicy('{ outlierDetection: {} }')])).toMatchObject({
      outlierDetection: { enforcingSuccessRate: 0 },
    });
  });

  it('connectionPool: limits are thresholds, times and requests per connection are HTTP options', () => {
    const policy = `{ connectionPool: { tcp: { maxConnections: 100, connectTimeout: 2s, maxConnectionDuration: 10m, tcpKeepalive: { time: 60s, interval: 5s, probes: 3 } },
      http: { http1MaxPendingRequests: 10, http2MaxRequests: 1000, maxRetries: 3, maxRequestsPerConnection: 5, idleTimeout: 90s } } }`;
    expect(clusterJson([reviewsPolicy(policy)])).toMatchObject({
      connectTimeout: '2s',
      circuitBreakers: {
        thresholds: [{ maxConnections: 100, maxPendingRequests: 10, maxRequests: 1000, maxRetries: 3 }],
      },
      upstreamConnectionOptions: { tcpKeepalive: { keepaliveProbes: 3, keepaliveTime: 60, keepaliveInterval: 5 } },
      typedExtensionProtocolOptions: {
        [HTTP_OPTIONS]: {
          commonHttpProtocolOptions: { idleTimeout: '90s', maxRequestsPerConnection: 5, maxConnectionDuration: '600s' },
          explicitHttpConfig: { httpProtocolOptions: {} },
        },
      },
    });
  });

  it('speaks HTTP/2 to gRPC ports and where the rule upgrades', () => {
    const http2 = {
      typedExtensionProtocolOptions: { [HTTP_OPTIONS]: { explicitHttpConfig: { http2ProtocolOptions: {} } } },
    };
    expect(clusterJson([], 'outbound|7070||ratings.default.svc.cluster.local')).toMatchObject(http2);
    expect(clusterJson([reviewsPolicy('{ connectionPool: { http: { h2UpgradePolicy: UPGRADE } } }')])).toMatchObject(
      http2,
    );
    expect(clusterJson([])).not.toHaveProperty('typedExtensionProtocolOptions');
  });
});

describe('cluster, of a ServiceEntry', () => {
  it.each([
    ['DNS', 'STRICT_DNS'],
    ['DNS_ROUND_ROBIN', 'LOGICAL_DNS'],
  ])('resolution %s is %s with its addresses inside', (resolution, type) => {
    const grpc = viewFrom('default', { kind: 'grpc' });
    expect(clusterJson([external(resolution)], API, grpc)).not.toHaveProperty('dnsRefreshRate');
    expect(clusterJson([external(resolution)], API)).toMatchObject({
      respectDnsTtl: true,
      dnsRefreshRate: '60s',
      dnsLookupFamily: 'ALL',
      type,
      loadAssignment: {
        clusterName: API,
        endpoints: [
          {
            lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'api.example.com', portValue: 443 } } } }],
          },
        ],
      },
      metadata: { filterMetadata: { istio: { external: true } } },
    });
  });

  it('STATIC comes by EDS, NONE goes where the caller goes', () => {
    expect(clusterJson([external('STATIC', '  endpoints: [{ address: 10.0.0.1 }]')], API)).toMatchObject({
      type: 'EDS',
    });
    expect(clusterJson([external('NONE')], API)).toMatchObject({ type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED' });
  });

  it('tls SIMPLE: the host as server name, the platform’s roots, the names that are written', () => {
    const socket = (tls: string, rest = '') => clusterJson([external('DNS', rest), apiPolicy(`{ tls: ${tls} }`)], API);
    expect(socket('{ mode: SIMPLE }')).toMatchObject({
      transportSocket: {
        name: 'envoy.transport_sockets.tls',
        typedConfig: { sni: 'api.example.com', commonTlsContext: { validationContext: { systemRootCerts: {} } } },
      },
    });
    expect(socket('{ mode: SIMPLE, sni: other.example.com, subjectAltNames: [a.example.com] }')).toMatchObject({
      transportSocket: {
        typedConfig: {
          sni: 'other.example.com',
          commonTlsContext: { validationContext: { matchSubjectAltNames: [{ exact: 'a.example.com' }] } },
        },
      },
    });
    expect(socket('{ mode: SIMPLE }', '  subjectAltNames: [b.example.com]')).toMatchObject({
      transportSocket: {
        typedConfig: {
          commonTlsContext: { validationContext: { matchSubjectAltNames: [{ exact: 'b.example.com' }] } },
        },
      },
    });
    expect(socket('{ mode: DISABLE }')).not.toHaveProperty('transportSocket');
  });

  it('tls MUTUAL brings its certificate, ISTIO_MUTUAL asks SDS for Istio’s names', () => {
    const socket = (tls: string) => clusterJson([external('DNS'), apiPolicy(`{ tls: ${tls} }`)], API);
    expect(
      socket('{ mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem }'),
    ).toMatchObject({
      transportSocket: {
        typedConfig: {
          commonTlsContext: {
            tlsCertificates: [{ certificateChain: { filename: '/c.pem' }, privateKey: { filename: '/k.pem' } }],
            validationContext: { trustedCa: { filename: '/ca.pem' } },
          },
        },
      },
    });
    expect(socket('{ mode: ISTIO_MUTUAL }')).toMatchObject({
      transportSocket: {
        typedConfig: {
          sni: 'outbound_.443_._.api.example.com',
          commonTlsContext: {
            tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
            combinedValidationContext: { validationContextSdsSecretConfig: { name: 'ROOTCA' } },
          },
        },
      },
    });
  });
});

describe('cluster, which DestinationRule', () => {
  const named = (name: string, namespace: string, simple: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  host: reviews.default.svc.cluster.local
  trafficPolicy: { loadBalancer: { simple: ${simple} } }
${rest}`;
  const policy = (yaml: readonly string[], view: View = viewFrom('default')) => clusterJson(yaml, REVIEWS_ROUTES, view);

  it('the client’s namespace, then the service’s, then the root’s: the first one decides alone', () => {
    const rules = [
      named('c', 'shop', 'RANDOM'),
      named('s', 'default', 'LEAST_REQUEST'),
      named('r', 'istio-system', 'ROUND_ROBIN'),
    ];
    expect(policy(rules, viewFrom('shop'))).toMatchObject({ lbPolicy: 'RANDOM' });
    expect(policy(rules, viewFrom('other'))).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
    expect(policy(rules.slice(2), viewFrom('other'))).not.toHaveProperty('lbPolicy');
  });

  it('a client of the root namespace: its private rules, then the service’s, then the root’s public ones (Istio destinationRule)', () => {
    const service = named('s', 'default', 'LEAST_REQUEST');
    const root = named('r', 'istio-system', 'RANDOM');
    const own = named('p', 'istio-system', 'ROUND_ROBIN', "  exportTo: ['.']");
    const client = viewFrom('istio-system');
    expect(policy([service, root], client)).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
    expect(policy([service, root, own], client)).not.toHaveProperty('lbPolicy');
    expect(policy([root], client)).toMatchObject({ lbPolicy: 'RANDOM' });
  });

  it('one that is not exported to the client is not seen', () => {
    expect(policy([named('s', 'default', 'RANDOM', "  exportTo: ['.']")], viewFrom('shop'))).toMatchObject({
      lbPolicy: 'LEAST_REQUEST',
    });
  });

  it('an exact host beats a wildcard of the same namespace', () => {
    const wildcard = named('a', 'default', 'RANDOM').replace(
      'host: reviews.default.svc.cluster.local',
      "host: '*.default.svc.cluster.local'",
    );
    expect(policy([wildcard])).toMatchObject({ lbPolicy: 'RANDOM' });
    expect(policy([wildcard, named('b', 'default', 'LEAST_REQUEST')])).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
  });

  it('two for one host and namespace: the first policy, and the subsets of both', () => {
    const rules = [
      named('a', 'default', 'RANDOM', '  subsets: [{ name: v1, labels: { version: v1 } }]'),
      named('b', 'default', 'LEAST_REQUEST', '  subsets: [{ name: v2, labels: { version: v2 } }]'),
    ];
    for (const subset of ['v1', 'v2'])
      expect(clusterJson(rules, V1.replace('v1', subset))).toMatchObject({ lbPolicy: 'RANDOM' });
  });

  it('a workloadSelector applies to its clients alone, and beats plain rules there', () => {
    const selected = named('z', 'default', 'RANDOM', '  workloadSelector: { matchLabels: { app: web } }');
    const rules = [named('a', 'default', 'LEAST_REQUEST'), selected];
    expect(policy(rules)).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
    expect(policy(rules, viewFrom('default', { labels: new Map([['app', 'web']]) }))).toMatchObject({
      lbPolicy: 'RANDOM',
    });
  });

  it('rule → subset → port: whole fields replace, and a port entry replaces even those it does not write', () => {
    const rule = reviewsPolicy(
      `
    loadBalancer: { simple: RANDOM }
    outlierDetection: { consecutive5xxErrors: 1 }
    portLevelSettings: [{ port: { number: 7070 }, connectionPool: { tcp: { maxConnections: 7 } } }]`,
      `
  subsets:
    - { name: v1, labels: { version: v1 }, trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } } }
    - { name: v2, labels: { version: v2 }, trafficPolicy: { portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: ROUND_ROBIN } }] } }`,
    );
    expect(clusterJson([rule], V1)).toMatchObject({
      lbPolicy: 'RANDOM',
      outlierDetection: { consecutive5xx: 1 },
      circuitBreakers: { thresholds: [{ maxConnections: 1 }] },
    });
    const v2 = clusterJson([rule], V1.replace('v1', 'v2'));
    expect(v2).not.toHaveProperty('lbPolicy');
    expect(v2).not.toHaveProperty('outlierDetection');
    const ported = rule.replace('host: reviews', 'host: ratings');
    const ratings = clusterJson([ported], 'outbound|7070||ratings.default.svc.cluster.local');
    expect(ratings).toMatchObject({
      lbPolicy: 'LEAST_REQUEST',
      circuitBreakers: { thresholds: [{ maxConnections: 7 }] },
    });
    expect(ratings).not.toHaveProperty('outlierDetection');
  });
});
