import { fromBinary, toJson } from '@bufbuild/protobuf';
import { HttpConnectionManagerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, reviewsRule } from './fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from './fixtures/world-from-yaml.ts';
import { listener } from './listener.ts';
import type { World } from './world.ts';

const EXTERNAL = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wide, namespace: default }
spec:
  hosts: ['*.example.com']
  ports: [{ number: 443, name: https, protocol: HTTPS }]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec:
  hosts: [api.example.com]
  ports: [{ number: 443, name: https, protocol: HTTPS }, { number: 53, name: dns, protocol: UDP }]
  addresses: [203.0.113.9, 'fd00::9']
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;

const manager = (world: World, name: string, namespace = 'default') => {
  const any = listener(world, viewFrom(namespace), name)?.apiListener?.apiListener;
  return any && toJson(HttpConnectionManagerSchema, fromBinary(HttpConnectionManagerSchema, any.value), { registry });
};

/** The route configuration that a client is sent to for a name. */
const routesFor = (world: World, name: string, namespace = 'default'): unknown => {
  const made = manager(world, name, namespace);
  return made && (made as { rds: { routeConfigName: string } }).rds.routeConfigName;
};

describe('listener', () => {
  it.each([
    'reviews',
    'reviews.default',
    'reviews.default.svc',
    'reviews.default.svc.cluster.local',
    '10.96.0.7',
    'REVIEWS.default.',
  ])('is there under %s', (host) => expect(routesFor(worldFromYaml(REVIEWS), `${host}:9080`)).toBe(REVIEWS_ROUTES));

  it('is named as it was asked for', () => {
    expect(listener(worldFromYaml(REVIEWS), viewFrom('default'), 'reviews:9080')?.name).toBe('reviews:9080');
  });

  it('a bare name belongs to the client’s own namespace', () => {
    expect(routesFor(worldFromYaml(REVIEWS), 'reviews:9080', 'shop')).toBeUndefined();
    expect(routesFor(worldFromYaml(REVIEWS), 'reviews.default:9080', 'shop')).toBe(REVIEWS_ROUTES);
  });

  it.each(['nobody:9080', 'reviews:80', 'reviews', 'reviews.other:9080', '10.96.0.99:9080', ''])(
    'does not exist under %j',
    (name) => expect(listener(worldFromYaml(REVIEWS), viewFrom('default'), name)).toBeUndefined(),
  );

  it('ServiceEntry hosts: exact before wildcard, by address too, never by a UDP port', () => {
    const world = worldFromYaml(REVIEWS, EXTERNAL);
    expect(routesFor(world, 'api.example.com:443')).toBe('outbound|443||api.example.com');
    expect(routesFor(world, 'other.example.com:443')).toBe('outbound|443||*.example.com');
    expect(routesFor(world, '203.0.113.9:443')).toBe('outbound|443||api.example.com');
    expect(routesFor(world, '[fd00::9]:443')).toBe('outbound|443||api.example.com');
    expect(routesFor(world, 'example.com:443')).toBeUndefined();
    expect(routesFor(world, 'api.example.com:53')).toBeUndefined();
  });

  it('an address of a ServiceEntry’s range is the host’s: an exact address first, then the longest range', () => {
    const range = (name: string, addresses: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${name}.example.com]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  addresses: [${addresses}]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;
    const world = worldFromYaml(
      range('wide', '10.0.0.0/8, "fd00::/16"'),
      range('near', '10.9.0.0/16'),
      range('one', '10.9.0.1'),
    );
    expect(routesFor(world, '10.1.2.3:80')).toBe('outbound|80||wide.example.com');
    expect(routesFor(world, '[fd00::7]:80')).toBe('outbound|80||wide.example.com');
    expect(routesFor(world, '10.9.2.3:80')).toBe('outbound|80||near.example.com');
    expect(routesFor(world, '10.9.0.1:80')).toBe('outbound|80||one.example.com');
    expect(routesFor(world, '10.1.2.3:81')).toBeUndefined();
    expect(routesFor(world, '11.1.2.3:80')).toBeUndefined();
  });

  it('asks for its routes on the same stream and ends in the router, with the fault filter only where a route injects one', () => {
    const filters = (world: World) =>
      (manager(world, 'reviews:9080') as { httpFilters: { name: string }[] }).httpFilters.map(({ name }) => name);
    expect(manager(worldFromYaml(REVIEWS), 'reviews:9080')).toMatchObject({ rds: { configSource: { ads: {} } } });
    expect(filters(worldFromYaml(REVIEWS))).toEqual(['envoy.filters.http.router']);
    const fault = reviewsRule(`    - fault: { abort: { httpStatus: 500, percentage: { value: 1 } } }
      route: [{ destination: { host: reviews } }]`);
    expect(filters(worldFromYaml(REVIEWS, fault))).toEqual(['envoy.filters.http.fault', 'envoy.filters.http.router']);
  });
});
