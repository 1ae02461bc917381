import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsPolicy, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../resource-types.ts';
import type { View } from '../view.ts';
import { limitsOf } from './limits.ts';

const TO = 'route: [{ destination: { host: reviews } }]';
const GO = viewFrom('default', { kind: 'grpc', client: 'go' });
const lines = (yaml: readonly string[], typeUrl: string, view: View = GO) =>
  limitsOf(worldFromYaml(REVIEWS, ...yaml), view, typeUrl, REVIEWS_ROUTES).map(
    ({ resource, fieldPath, message }) => `${resource} ${fieldPath}: ${message}`,
  );

describe('limitsOf', () => {
  const rule = reviewsRule(`
    - { match: [{ uri: { prefix: /a } }, { uri: { prefix: /b } }], retries: { attempts: 7, retryOn: 5xx }, mirror: { host: ratings }, ${TO} }
    - { match: [{ queryParams: { a: { exact: b } } }], ${TO} }`);
  const common = [
    'VirtualService default/reviews spec.http[1].match[0]: left out: a gRPC call has no query parameters',
    'VirtualService default/reviews spec.http[0].mirror: nothing is mirrored',
  ];
  const attempts =
    'VirtualService default/reviews spec.http[0].retries.attempts: sent as itself; five attempts are the most it makes';

  it.each([
    ['go', common],
    ['java', common],
    ['core', [...common, attempts]],
    ['node', [...common, attempts]],
    ['unknown', [...common, attempts]],
  ] as const)('names each place of a rule that is not honoured, once: %s', (client, expected) => {
    expect(lines([rule], ROUTE_TYPE, { ...GO, client })).toEqual(expected);
  });

  it('of a cluster names the rule that decides', () => {
    const policy = reviewsPolicy('{ loadBalancer: { simple: RANDOM } }');
    expect(lines([policy], CLUSTER_TYPE)).toEqual([
      'DestinationRule default/reviews trafficPolicy.loadBalancer.simple: RANDOM: round robin takes its place',
    ]);
    expect(lines([REVIEWS_SUBSETS], CLUSTER_TYPE)).toEqual([]);
    expect(lines([], CLUSTER_TYPE)).toEqual([]);
  });

  it('of a cluster names weights that only a ring looks at: those that differ within a locality', () => {
    const entry = (name: string, rest: string) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec: { address: 10.0.0.${name.length}, labels: { app: reviews }, ${rest} }
`;
    const heavy = entry('heavy', 'weight: 5');
    const message = 'within a locality all get as many calls; localities and a consistent hash have weights';
    expect(lines([heavy], CLUSTER_TYPE)).toEqual([`Service default/reviews endpoints.weight: ${message}`]);
    expect(lines([entry('elsewhere', 'weight: 5, locality: eu/a')], CLUSTER_TYPE)).toEqual([]);
    const ring = reviewsPolicy('{ loadBalancer: { consistentHash: { httpHeaderName: user } } }');
    expect(lines([heavy, ring], CLUSTER_TYPE)).toEqual([]);
  });

  it('knows none of other clients, of other types and of what does not exist', () => {
    expect(lines([rule], ROUTE_TYPE, viewFrom('default'))).toEqual([]);
    expect(lines([rule], LISTENER_TYPE)).toEqual([]);
    expect(limitsOf(worldFromYaml(REVIEWS), GO, ROUTE_TYPE, 'outbound|1||nobody')).toEqual([]);
  });
});
