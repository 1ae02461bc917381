import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { listener } from '../listener.ts';
import { routeConfiguration } from './route-configuration.ts';

const externalName = (name: string, target: string, ports = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { type: ExternalName, externalName: ${target}${ports} }
`;
const REVIEWS_HOST = 'reviews.default.svc.cluster.local';
const PORT = ', ports: [{ name: http, port: 9080 }]';
const V2 = reviewsRule('    - route: [{ destination: { host: reviews, subset: v2 } }]');

/** The cluster that `name:9080` leads a client of namespace shop to. */
const clusterOf = (name: string, ...yaml: readonly string[]): string | undefined => {
  const world = worldFromYaml(REVIEWS, ...yaml);
  if (listener(world, viewFrom('shop'), `${name}:9080`) === undefined) return undefined;
  const routes = `outbound|9080||${name}.shop.svc.cluster.local`;
  const action = routeConfiguration(world, viewFrom('shop'), routes)?.configuration.virtualHosts[0]?.routes[0]?.action;
  return action?.case === 'route' ? String(action.value.clusterSpecifier.value) : action?.case;
};

describe('an ExternalName for a host of the mesh is another name of that host (Istio service alias)', () => {
  it('goes to its endpoints, by its rules', () => {
    const alias = externalName('critics', REVIEWS_HOST, PORT);
    expect(clusterOf('critics', alias)).toBe(REVIEWS_ROUTES);
    expect(clusterOf('critics', alias, REVIEWS_SUBSETS, V2)).toBe(`outbound|9080|v2|${REVIEWS_HOST}`);
  });

  it('has its ports where it names none', () => {
    expect(clusterOf('critics', externalName('critics', REVIEWS_HOST))).toBe(REVIEWS_ROUTES);
    expect(clusterOf('critics', externalName('critics', 'nobody.example.com'))).toBeUndefined();
  });

  it('by another such name too; a circle of names is a name for DNS', () => {
    const chain = [externalName('critics', 'second.shop.svc.cluster.local'), externalName('second', REVIEWS_HOST)];
    expect(clusterOf('critics', ...chain)).toBe(REVIEWS_ROUTES);
    const circle = [
      externalName('critics', 'second.shop.svc.cluster.local', PORT),
      externalName('second', 'critics.shop.svc.cluster.local', PORT),
    ];
    expect(clusterOf('critics', ...circle)).toMatch(/^outbound\|9080\|\|(critics|second)\.shop/);
  });

  it('is a name for DNS where the mesh does not know the host', () => {
    expect(clusterOf('critics', externalName('critics', 'reviews.example.com', PORT))).toBe(
      'outbound|9080||critics.shop.svc.cluster.local',
    );
  });
});
