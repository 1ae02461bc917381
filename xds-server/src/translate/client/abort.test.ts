import { toJson } from '@bufbuild/protobuf';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, reviewsPolicy, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { listener } from '../listener.ts';
import { routeConfiguration } from '../route/route-configuration.ts';
import type { View } from '../view.ts';

const GRPC = viewFrom('default', { kind: 'grpc' });
const ABORT = {
  'envoy.filters.http.fault': {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    abort: { grpcStatus: 14, percentage: { numerator: 100 } },
  },
};
const SUBSETS = '  subsets: [{ name: safe, labels: {}, trafficPolicy: { tls: { mode: DISABLE } } }]';
const tls = (mode: string): string => reviewsPolicy(`{ tls: { mode: ${mode} } }`, SUBSETS);

const made = (yaml: readonly string[], view: View = GRPC) => {
  const world = worldFromYaml(REVIEWS, ...yaml);
  const [route] = routeConfiguration(world, view, REVIEWS_ROUTES)?.configuration.virtualHosts[0]?.routes ?? [];
  const entry = listener(world, view, 'reviews:9080');
  return {
    route: route && Object(toJson(RouteSchema, route, { registry })),
    listener: JSON.stringify(entry && toJson(ListenerSchema, entry, { registry })),
  };
};

describe('a destination whose TLS a gRPC client cannot be told of', () => {
  it.each(['SIMPLE', 'MUTUAL, clientCertificate: /c, privateKey: /k'])('fails its calls: %s', (mode) => {
    const { route, listener: entry } = made([tls(mode)]);
    expect(route.typedPerFilterConfig).toEqual(ABORT);
    expect(entry).toContain('envoy.filters.http.fault');
  });

  it('fails its share of a split, and no other', () => {
    const split = `    - route: [{ destination: { host: reviews }, weight: 1 }, { destination: { host: reviews, subset: safe }, weight: 3 }]`;
    const { route, listener: entry } = made([tls('SIMPLE'), reviewsRule(split)]);
    const [untold, safe] = route.route.weightedClusters.clusters;
    expect(untold.typedPerFilterConfig).toEqual(ABORT);
    expect(safe).not.toHaveProperty('typedPerFilterConfig');
    expect(entry).toContain('envoy.filters.http.fault');
  });

  it.each([
    ['one that can be told', tls('SIMPLE'), viewFrom('default', { kind: 'grpc', abilities: ['systemRoots'] })],
    ['TLS of the mesh', tls('ISTIO_MUTUAL'), GRPC],
    ['clear text', tls('DISABLE'), GRPC],
    ['another client', tls('SIMPLE'), viewFrom('default')],
  ])('is not: %s', (_, yaml, view) => {
    const { route, listener: entry } = made([yaml], view);
    expect(route).not.toHaveProperty('typedPerFilterConfig');
    expect(entry).not.toContain('http.fault');
  });
});
