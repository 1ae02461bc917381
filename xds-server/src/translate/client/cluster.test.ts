import { fromBinary, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, reviewsPolicy } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE } from '../resource-types.ts';
import { TRANSLATORS } from '../translate.ts';
import type { View } from '../view.ts';

const GRPC = viewFrom('default', { kind: 'grpc' });
const JAVA = viewFrom('default', { kind: 'grpc', client: 'java', abilities: ['systemRoots'] });

const clusterJson = (yaml: readonly string[], name = REVIEWS_ROUTES, view: View = GRPC) => {
  const made = TRANSLATORS.get(CLUSTER_TYPE)?.(worldFromYaml(REVIEWS, ...yaml), view, name);
  return made && (toJson(ClusterSchema, fromBinary(ClusterSchema, made), { registry }) as Record<string, unknown>);
};

const external = (resolution: string, rest = '', host = 'api.example.com'): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec:
  hosts: ["${host}"]
  ports: [{ number: 443, name: https, protocol: HTTPS }]
  location: MESH_EXTERNAL
  resolution: ${resolution}
${rest}
`;
const API = 'outbound|443||api.example.com';

const LEAST_REQUEST_FIRST = {
  policies: [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.wrr_locality',
        typedConfig: {
          '@type': 'type.googleapis.com/envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality',
          endpointPickingPolicy: {
            policies: [
              {
                typedExtensionConfig: {
                  name: 'envoy.load_balancing_policies.least_request',
                  typedConfig: {
                    '@type':
                      'type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest',
                  },
                },
              },
              {
                typedExtensionConfig: {
                  name: 'envoy.load_balancing_policies.round_robin',
                  typedConfig: {
                    '@type': 'type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin',
                  },
                },
              },
            ],
          },
        },
      },
    },
  ],
};

describe('balancing, for gRPC clients', () => {
  // ROUND_ROBIN is the enum's zero: JSON leaves it out.
  it.each<[string, string | undefined, object]>([
    ['nothing written', undefined, { loadBalancingPolicy: LEAST_REQUEST_FIRST }],
    ['LEAST_REQUEST', 'simple: LEAST_REQUEST', { loadBalancingPolicy: LEAST_REQUEST_FIRST }],
    ['ROUND_ROBIN', 'simple: ROUND_ROBIN', {}],
    ['RANDOM', 'simple: RANDOM', {}],
    [
      'Maglev',
      'consistentHash: { httpHeaderName: u, maglev: { tableSize: 1009 } }',
      { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '1024' } },
    ],
    [
      'a ring of a size',
      'consistentHash: { httpHeaderName: u, ringHash: { minimumRingSize: 64 } }',
      { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '64' } },
    ],
  ])('%s: a policy that all know, or a list that ends in one', (_, written, expected) => {
    const policy = written === undefined ? [] : [reviewsPolicy(`{ loadBalancer: { ${written} } }`)];
    const { lbPolicy, ringHashLbConfig, loadBalancingPolicy } = clusterJson(policy) ?? {};
    expect({
      ...(lbPolicy ? { lbPolicy } : {}),
      ...(ringHashLbConfig ? { ringHashLbConfig } : {}),
      ...(loadBalancingPolicy ? { loadBalancingPolicy } : {}),
    }).toEqual(expected);
  });
});

describe('ejection, for gRPC clients', () => {
  const off = { enforcingSuccessRate: 0 };
  const on = (volume: number) => ({
    ...off,
    enforcingFailurePercentage: 100,
    failurePercentageThreshold: 85,
    failurePercentageRequestVolume: volume,
    failurePercentageMinimumHosts: 1,
  });
  it.each([
    ['{}', on(5)],
    ['{ consecutive5xxErrors: 3 }', { ...on(3), consecutive5xx: 3, enforcingConsecutive5xx: 100 }],
    ['{ consecutiveGatewayErrors: 2 }', { ...on(2), consecutiveGatewayFailure: 2 }],
    ['{ consecutive5xxErrors: 7, consecutiveGatewayErrors: 9 }', on(7)],
    ['{ consecutive5xxErrors: 0, consecutiveGatewayErrors: 9 }', on(9)],
    ['{ consecutive5xxErrors: 0 }', { ...off, consecutive5xx: 0, enforcingConsecutive5xx: 0 }],
  ])('%s by the share of failed calls', (written, expected) => {
    const made = clusterJson([reviewsPolicy(`{ outlierDetection: ${written} }`)]);
    expect(made?.outlierDetection).toMatchObject(expected);
    if (!('enforcingFailurePercentage' in expected))
      expect(made?.outlierDetection).not.toHaveProperty('enforcingFailurePercentage');
  });
});

describe('names to look up, for gRPC clients', () => {
  const two = '  endpoints: [{ address: a.example.com }, { address: b.example.com, ports: { https: 8443 } }]';

  it('one is LOGICAL_DNS; where the caller goes is the name, and a wildcard has none', () => {
    expect(clusterJson([external('DNS')], API)).toMatchObject({ type: 'LOGICAL_DNS' });
    expect(JSON.stringify(clusterJson([external('NONE')], API))).toContain('"address":"api.example.com"');
    const wild = clusterJson([external('NONE', '', '*.example.com')], 'outbound|443||*.example.com');
    expect(wild).toMatchObject({ type: 'EDS', edsClusterConfig: { serviceName: 'outbound|443||*.example.com' } });
  });

  it.each(['NONE', 'DNS'])('one is not left out by rules about places: %s', (resolution) => {
    const lb = 'localityLbSetting: { distribute: [{ from: "*", to: { "eu/a": 100 } }] }';
    const rule = reviewsPolicy(`{ loadBalancer: { ${lb} } }`).replace('host: reviews', 'host: api.example.com');
    const { loadAssignment } = clusterJson([external(resolution), rule], API) ?? {};
    expect(loadAssignment).toMatchObject({ endpoints: [{ lbEndpoints: [expect.anything()] }] });
  });

  it('several are an aggregate of clusters of one name, in the order of the registry', () => {
    const parts = [`${API}|a.example.com:443`, `${API}|b.example.com:8443`];
    expect(clusterJson([external('DNS', two)], API)).toMatchObject({
      clusterType: { name: 'envoy.clusters.aggregate', typedConfig: { clusters: parts } },
    });
    expect(clusterJson([external('DNS', two)], parts[1])).toMatchObject({
      name: parts[1],
      type: 'LOGICAL_DNS',
      loadAssignment: {
        clusterName: parts[1],
        endpoints: [
          {
            lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'b.example.com', portValue: 8443 } } } }],
          },
        ],
      },
    });
    expect(clusterJson([external('DNS', two)], `${API}|c.example.com:443`)).toBeUndefined();
  });

  it('several addresses are EDS', () => {
    const addresses = '  endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.2 }]';
    expect(clusterJson([external('DNS', addresses)], API)).toMatchObject({ type: 'EDS' });
  });
});

describe('TLS, for gRPC clients', () => {
  const HOST = 'reviews.default.svc.cluster.local';
  const EMPTY = { type: 'EDS', edsClusterConfig: { serviceName: REVIEWS_ROUTES } };
  const made = (tls: string, view = GRPC) => clusterJson([reviewsPolicy(`{ tls: ${tls} }`)], REVIEWS_ROUTES, view);

  it.each([
    '{ mode: SIMPLE }',
    '{ mode: SIMPLE, caCertificates: /ca.pem }',
    '{ mode: SIMPLE, credentialName: partner }',
    '{ mode: SIMPLE, insecureSkipVerify: true }',
    '{ mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem }',
  ])('%s cannot be told: nobody is called, and never in clear text', (tls) => {
    const cluster = made(tls);
    expect(cluster).toMatchObject(EMPTY);
    expect(cluster).not.toHaveProperty('circuitBreakers');
  });

  it('SIMPLE is the platform’s roots and the server’s name to a client that knows both (gRFC A82)', () => {
    const context = (names: readonly string[]) => ({
      transportSocket: {
        typedConfig: {
          sni: HOST,
          commonTlsContext: {
            validationContext: { systemRootCerts: {}, matchSubjectAltNames: names.map((exact) => ({ exact })) },
          },
        },
      },
    });
    expect(made('{ mode: SIMPLE }', JAVA)).toMatchObject(context([HOST]));
    expect(made('{ mode: SIMPLE, subjectAltNames: [a.b] }', JAVA)).toMatchObject(context(['a.b']));
    expect(made('{ mode: SIMPLE, caCertificates: /ca.pem }', JAVA)).toMatchObject(EMPTY);
  });

  it('ISTIO_MUTUAL names the certificate provider of its bootstrap, in the old fields and the new', () => {
    const cluster = made('{ mode: ISTIO_MUTUAL }');
    expect(cluster).toMatchObject({
      transportSocket: {
        typedConfig: {
          commonTlsContext: {
            tlsCertificateProviderInstance: { instanceName: 'default', certificateName: 'default' },
            combinedValidationContext: {
              defaultValidationContext: {
                caCertificateProviderInstance: { instanceName: 'default', certificateName: 'ROOTCA' },
              },
            },
          },
        },
      },
    });
  });
});
