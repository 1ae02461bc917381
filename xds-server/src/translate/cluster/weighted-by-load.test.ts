import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, reviewsPolicy } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import type { View } from '../view.ts';
import { cluster } from './cluster.ts';

const LB = 'type.googleapis.com/envoy.extensions.load_balancing_policies';
const policy = (spec: string): string => `
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: { name: reviews, namespace: default }
spec: { targetRefs: [{ kind: Service, name: reviews }], weightedByLoad: ${spec} }
`;

const made = (yaml: readonly string[], kind: View['kind'] = 'sdk'): JsonObject => {
  const resource = cluster(worldFromYaml(REVIEWS, ...yaml), viewFrom('default', { kind }), REVIEWS_ROUTES);
  if (resource === undefined) throw new Error('no cluster');
  return toJson(ClusterSchema, resource, { registry }) as JsonObject;
};

/** Names and settings of a list, inner lists in their place. */
const listed = (list: unknown): unknown =>
  (
    list as { policies: { typedExtensionConfig: { typedConfig: Record<string, unknown> } }[] } | undefined
  )?.policies.map(({ typedExtensionConfig: { typedConfig } }) => {
    const { '@type': type, endpointPickingPolicy: inner, ...settings } = typedConfig;
    const name = String(type)
      .slice(LB.length + 1)
      .split('.')[0];
    return inner === undefined ? [name, settings] : [name, listed(inner)];
  });

const WEIGHTED = ['client_side_weighted_round_robin', {}];
const PLAIN = ['round_robin', {}];

describe('CallPolicy weightedByLoad (gRFC A58)', () => {
  it.each([
    ['sdk', [WEIGHTED, PLAIN]],
    ['envoy', [WEIGHTED, PLAIN]],
    ['grpc', [['wrr_locality', [WEIGHTED, PLAIN]]]],
  ] as const)('is a typed policy with round robin behind it, and the enum beside it: %s', (kind, expected) => {
    const { loadBalancingPolicy, lbPolicy } = made([policy('{}')], kind);
    expect(listed(loadBalancingPolicy)).toEqual(expected);
    expect(lbPolicy).toBeUndefined();
  });

  it('says everything that is written, and slow start of the DestinationRule', () => {
    const written = `{ outOfBandPeriod: 5s, blackoutPeriod: 0s, weightExpirationPeriod: 1m, weightUpdatePeriod: 500ms,
      errorUtilizationPenalty: 2.5, utilizationMetrics: [named_metrics.queue] }`;
    const yaml = [
      policy(written),
      reviewsPolicy('{ loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 30s } } }'),
    ];
    expect(listed(made(yaml).loadBalancingPolicy)).toEqual([
      [
        'client_side_weighted_round_robin',
        {
          enableOobLoadReport: true,
          oobReportingPeriod: '5s',
          blackoutPeriod: '0s',
          weightExpirationPeriod: '60s',
          weightUpdatePeriod: '0.500s',
          errorUtilizationPenalty: 2.5,
          metricNamesForComputingUtilization: ['named_metrics.queue'],
          slowStartConfig: { slowStartWindow: '30s' },
        },
      ],
      PLAIN,
    ]);
  });

  it('goes by localities where calls are shared out among them', () => {
    const distribute = '{ from: "*", to: { "*": 100 } }';
    const rule = reviewsPolicy(`{ loadBalancer: { localityLbSetting: { distribute: [${distribute}] } } }`);
    const resource = made([policy('{}'), rule]);
    expect(listed(resource.loadBalancingPolicy)).toEqual([['wrr_locality', [WEIGHTED, PLAIN]]]);
    // Envoy refuses a cluster that has both.
    expect(resource).not.toHaveProperty('commonLbConfig.localityWeightedLbConfig');
  });

  it.each(['{ consistentHash: { httpHeaderName: u } }', '{ simple: PASSTHROUGH }'])(
    'leaves a DestinationRule alone that says where a call belongs: %s',
    (balancer) => {
      const rule = reviewsPolicy(`{ loadBalancer: ${balancer} }`);
      expect(made([policy('{}'), rule])).not.toHaveProperty('loadBalancingPolicy');
    },
  );
});
