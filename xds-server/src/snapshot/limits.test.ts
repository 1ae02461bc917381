import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createRegistry } from '../registry/registry.ts';
import type { ChangeEvent } from '../schema/types.ts';
import type { GrpcClient } from '../translate/client/grpc-client.ts';
import { REVIEWS, REVIEWS_ROUTES, reviewsPolicy } from '../translate/fixtures/reviews.ts';
import { objectsOf, viewFrom } from '../translate/fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE } from '../translate/resource-types.ts';
import { createSnapshots } from './snapshots.ts';

const upserts = (yaml: string): ChangeEvent[] => objectsOf(yaml).map((object) => ({ kind: 'upsert', object }));

describe('Snapshots.limits', () => {
  it('are each client’s own, and follow the rules', async () => {
    const clock = createFakeClock();
    const snapshots = createSnapshots({ registry: createRegistry(), clock, hash: () => '' });
    snapshots.apply([...upserts(REVIEWS), ...upserts(reviewsPolicy('{ loadBalancer: { simple: LEAST_REQUEST } }'))]);
    const fields = (client: GrpcClient): readonly string[] => {
      const view = viewFrom('default', { kind: 'grpc', client });
      return snapshots.limits(view, CLUSTER_TYPE, REVIEWS_ROUTES).map(({ fieldPath }) => fieldPath);
    };
    expect(fields('go')).toEqual([]);
    expect(fields('core')).toEqual(['trafficPolicy.loadBalancer.simple: LEAST_REQUEST']);
    expect(snapshots.limits(viewFrom('default'), CLUSTER_TYPE, REVIEWS_ROUTES)).toEqual([]);

    snapshots.apply(upserts(reviewsPolicy('{ loadBalancer: { simple: RANDOM } }')));
    await clock.pass(1_000);
    expect(fields('go')).toEqual(['trafficPolicy.loadBalancer.simple: RANDOM']);
    snapshots.close();
  });
});
