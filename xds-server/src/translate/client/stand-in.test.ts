import { fromBinary, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE } from '../resource-types.ts';
import { TRANSLATORS } from '../translate.ts';
import type { View } from '../view.ts';

const LOST = 'outbound|80||lost.default.svc.cluster.local';
const world = worldFromYaml(REVIEWS);
const made = (type: string, name: string, kind: View['kind'] = 'grpc') =>
  TRANSLATORS.get(type)?.(world, viewFrom('default', { kind }), name);

describe('a cluster that does not exist', () => {
  it.each([LOST, 'UnknownService', 'not-for-grpc'])('is an empty one for a gRPC client: %s', (name) => {
    const cluster = made(CLUSTER_TYPE, name);
    expect(cluster && toJson(ClusterSchema, fromBinary(ClusterSchema, cluster))).toEqual({
      name,
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' }, serviceName: name },
    });
    const endpoints = made(ENDPOINT_TYPE, name);
    expect(endpoints && fromBinary(ClusterLoadAssignmentSchema, endpoints)).toMatchObject({
      clusterName: name,
      endpoints: [],
    });
  });

  it.each(['sdk', 'envoy'] as const)('stays unknown to %s', (kind) => {
    expect(made(CLUSTER_TYPE, LOST, kind)).toBeUndefined();
    expect(made(ENDPOINT_TYPE, LOST, kind)).toBeUndefined();
  });

  it('is none under a name that no route can have', () => {
    expect(made(CLUSTER_TYPE, `outbound|80||${'a'.repeat(4_000)}`)).toBeUndefined();
    expect(made(ENDPOINT_TYPE, `outbound|80|${'v'.repeat(4_000)}|a`)).toBeUndefined();
    expect(made(CLUSTER_TYPE, 'reviews')).toBeUndefined();
    expect(made(ENDPOINT_TYPE, 'reviews')).toBeUndefined();
  });

  it('never hides one that exists', () => {
    const endpoints = made(ENDPOINT_TYPE, REVIEWS_ROUTES);
    expect(endpoints && fromBinary(ClusterLoadAssignmentSchema, endpoints).endpoints).toHaveLength(1);
  });
});
