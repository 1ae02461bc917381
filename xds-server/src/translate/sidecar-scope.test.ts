import { describe, expect, it } from 'vitest';
import { checkSidecar } from './check/sidecar.ts';
import { cluster } from './cluster/cluster.ts';
import { REVIEWS } from './fixtures/reviews.ts';
import { objectsOf, viewFrom, worldFromObjects, worldFromYaml } from './fixtures/world-from-yaml.ts';
import { listener } from './listener.ts';
import { routeConfiguration } from './route/route-configuration.ts';

const SHOP = `
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec: { ports: [{ name: http, port: 80 }, { name: http-admin, port: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec: { hosts: [api.example.com], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }
`;
const sidecar = (spec: string, { namespace = 'default', name = 'default' } = {}): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;
const CART = 'cart.shop.svc.cluster.local';
const HOSTS = ['reviews:9080', 'ratings:9080', `${CART}:80`, `${CART}:8080`, 'api.example.com:80'];

/** What a client can dial, of HOSTS. */
const dialled = (yaml: readonly string[], view = viewFrom('default')): readonly string[] => {
  const world = worldFromYaml(REVIEWS, SHOP, ...yaml);
  return HOSTS.filter((name) => listener(world, view, name) !== undefined);
};
const hasCluster = (yaml: readonly string[], name: string, view = viewFrom('default')): boolean =>
  cluster(worldFromYaml(REVIEWS, SHOP, ...yaml), view, name) !== undefined;

describe('Sidecar egress', () => {
  it.each([
    ['{}', HOSTS],
    ['{ egress: [{ hosts: ["*/*"] }] }', HOSTS],
    ['{ egress: [{ hosts: ["./*"] }] }', ['reviews:9080', 'ratings:9080']],
    ['{ egress: [{ hosts: ["shop/*"] }] }', HOSTS.slice(2)],
    ['{ egress: [{ hosts: ["~/*"] }] }', []],
    ['{ egress: [{ hosts: ["*/api.example.com"] }] }', ['api.example.com:80']],
    ['{ egress: [{ hosts: ["*/*.example.com"] }] }', ['api.example.com:80']],
    ['{ egress: [{ hosts: ["./api.example.com"] }] }', []],
    [`{ egress: [{ hosts: ["shop/${CART}", "./*"] }] }`, HOSTS.slice(0, 4)],
  ])('%s', (spec, expected) => expect(dialled([sidecar(spec)])).toEqual(expected));

  it('with a port: that entry alone decides for that port, the one without a port for the others', () => {
    const spec =
      '{ egress: [{ port: { number: 80, protocol: HTTP, name: http }, hosts: ["shop/*"] }, { hosts: ["./*"] }] }';
    expect(dialled([sidecar(spec)])).toEqual(['reviews:9080', 'ratings:9080', `${CART}:80`, 'api.example.com:80']);
    expect(hasCluster([sidecar(spec)], `outbound|80||${CART}`)).toBe(true);
    expect(hasCluster([sidecar(spec)], `outbound|8080||${CART}`)).toBe(false);
  });
});

describe('Sidecar, which one', () => {
  const own = sidecar('{ egress: [{ hosts: ["./*"] }] }');
  const selecting = sidecar('{ workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["shop/*"] }] }', {
    name: 'web',
  });
  const root = sidecar('{ egress: [{ hosts: ["*/api.example.com"] }] }', { namespace: 'istio-system' });

  it('the one that selects the workload, else the namespace’s, else the root namespace’s', () => {
    const web = viewFrom('default', { labels: new Map([['app', 'web']]) });
    expect(dialled([own, selecting, root], web)).toEqual(HOSTS.slice(2));
    expect(dialled([own, selecting, root])).toEqual(['reviews:9080', 'ratings:9080']);
    expect(dialled([selecting, root])).toEqual(['api.example.com:80']);
  });

  it('"." in the root namespace’s is the client’s own namespace', () => {
    const everywhere = sidecar('{ egress: [{ hosts: ["./*"] }] }', { namespace: 'istio-system' });
    expect(dialled([everywhere], viewFrom('shop'))).toEqual(HOSTS.slice(2));
  });
});

describe('Sidecar, rules and their destinations', () => {
  const rule = (destination: string, namespace = 'default'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: ${namespace} }
spec:
  hosts: [reviews.default.svc.cluster.local]
  http: [{ route: [{ destination: ${destination} }] }]
`;
  const narrow = sidecar('{ egress: [{ hosts: ["./reviews.default.svc.cluster.local"] }] }');

  it('a destination of an imported rule has its cluster without being dialled, only the port that is used', () => {
    const yaml = [narrow, rule(`{ host: ${CART}, port: { number: 80 } }`)];
    expect(dialled(yaml)).toEqual(['reviews:9080']);
    expect(hasCluster(yaml, `outbound|80||${CART}`)).toBe(true);
    expect(hasCluster(yaml, `outbound|8080||${CART}`)).toBe(false);
    expect(hasCluster([narrow], `outbound|80||${CART}`)).toBe(false);
  });

  it('through a delegate too', () => {
    const root = rule('{ host: x }').replace(/http: .*/, 'http: [{ delegate: { name: part, namespace: shop } }]');
    const part = rule(`{ host: cart, port: { number: 80 } }`, 'shop')
      .replace(/ {2}hosts: .*\n/, '')
      .replace('name: reviews', 'name: part');
    expect(hasCluster([narrow, root, part], `outbound|80||${CART}`)).toBe(true);
  });

  it('a rule of a namespace that is not imported does not apply', () => {
    const routes = (yaml: readonly string[]) =>
      routeConfiguration(
        worldFromYaml(REVIEWS, SHOP, ...yaml),
        viewFrom('default'),
        'outbound|9080||reviews.default.svc.cluster.local',
      )?.routes[0]?.route.name;
    expect(routes([narrow, rule('{ host: reviews }')])).toBe('');
    expect(routes([narrow, rule('{ host: reviews }', 'shop')])).toBe('default');
    expect(routes([rule('{ host: reviews }', 'shop')])).toBe('');
  });
});

describe('outboundTrafficPolicy', () => {
  const mesh = (mode: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: ${mode} }" }
`;
  const unknown = (yaml: readonly string[], kind: 'sdk' | 'grpc' = 'sdk'): boolean =>
    listener(worldFromYaml(REVIEWS, ...yaml), viewFrom('default', { kind }), 'nobody:80') !== undefined;

  it('REGISTRY_ONLY of the mesh answers unknown hosts, a Sidecar’s own beats it, gRPC fails without', () => {
    expect(unknown([])).toBe(false);
    expect(unknown([mesh('REGISTRY_ONLY')])).toBe(true);
    expect(unknown([mesh('REGISTRY_ONLY')], 'grpc')).toBe(false);
    expect(unknown([mesh('REGISTRY_ONLY'), sidecar('{ outboundTrafficPolicy: { mode: ALLOW_ANY } }')])).toBe(false);
    expect(unknown([sidecar('{ outboundTrafficPolicy: { mode: REGISTRY_ONLY } }')])).toBe(true);
  });

  it('with 502, Istio’s block_all', () => {
    const made = routeConfiguration(worldFromYaml(REVIEWS), viewFrom('default'), 'block_all');
    expect(made?.configuration.virtualHosts[0]).toMatchObject({ name: 'block_all', domains: ['*'] });
    expect(made?.routes[0]?.route.action).toMatchObject({ case: 'directResponse', value: { status: 502 } });
  });
});

describe('check Sidecar', () => {
  const findings = (...yaml: readonly string[]): readonly string[] => {
    const objects = objectsOf(REVIEWS, ...yaml);
    const world = worldFromObjects(objects);
    return objects.flatMap((object) =>
      object.kind === 'Sidecar'
        ? checkSidecar(world, object).map(({ severity, fieldPath, message }) => `${severity} ${fieldPath}: ${message}`)
        : [],
    );
  };

  it('a second one for the whole namespace is an error', () => {
    expect(findings(sidecar('{}'), sidecar('{}', { name: 'more' }))).toEqual([
      'error spec: no effect: Sidecar default/default is there for the whole namespace already, want a workloadSelector',
    ]);
  });

  it('a name that nobody has imports nothing', () => {
    expect(findings(sidecar('{ egress: [{ hosts: ["./reviews", "*/reviews.default.svc.cluster.local"] }] }'))).toEqual([
      'warning spec.egress[0].hosts[0]: imports nothing: no service of namespace default has the host reviews, want a full name or a wildcard',
    ]);
  });
});
