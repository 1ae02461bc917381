import { toJson } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { type Route, RouteSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsPolicy, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import type { View } from '../view.ts';
import { routeConfiguration } from './route-configuration.ts';

const DEFAULT = viewFrom('default');

const routesOf = (yaml: readonly string[], view: View = DEFAULT, name = REVIEWS_ROUTES): readonly Route[] =>
  routeConfiguration(worldFromYaml(REVIEWS, ...yaml), view, name)?.configuration.virtualHosts[0]?.routes ?? [];

const json = (route: Route | undefined) => route && toJson(RouteSchema, route, { registry });

/** The cluster (or clusters with weights) that each route goes to. */
const clusters = (routes: readonly Route[]) =>
  routes.map(({ action }) => {
    if (action.case !== 'route') return action.case;
    const { clusterSpecifier: to } = action.value;
    if (to.case === 'weightedClusters') return to.value.clusters.map(({ name, weight }) => `${name} ${weight}`);
    return to.value;
  });

const V = (subset: string): string => `outbound|9080|${subset}|reviews.default.svc.cluster.local`;
const to = (subset: string): string => `[{ destination: { host: reviews, subset: ${subset} } }]`;

describe('routeConfiguration', () => {
  it('has the one virtual host that was asked for, with Istio’s twelve domains', () => {
    const made = routeConfiguration(worldFromYaml(REVIEWS), DEFAULT, REVIEWS_ROUTES)?.configuration;
    expect(made?.virtualHosts.map(({ name }) => name)).toEqual(['reviews.default.svc.cluster.local:9080']);
    const names = [
      'reviews.default.svc.cluster.local',
      'reviews.default.svc.cluster.local.',
      'reviews',
      'reviews.default',
      'reviews.default.svc',
      '10.96.0.7',
    ];
    expect(made?.virtualHosts[0]?.domains).toEqual(names.flatMap((name) => [name, `${name}:9080`]));
  });

  it('gRPC gets no domain that ends with a dot: grpc-java would end the channel', () => {
    const grpc = viewFrom('default', { kind: 'grpc' });
    const domains = routeConfiguration(worldFromYaml(REVIEWS), grpc, REVIEWS_ROUTES)?.configuration.virtualHosts[0]
      ?.domains;
    expect(domains?.filter((one) => one.endsWith('.'))).toEqual([]);
    expect(domains).toContain('reviews.default.svc.cluster.local.:9080');
  });

  it('knows the bare short name only in the service’s own namespace', () => {
    const made = routeConfiguration(worldFromYaml(REVIEWS), viewFrom('shop'), REVIEWS_ROUTES)?.configuration;
    expect(made?.virtualHosts[0]?.domains).not.toContain('reviews');
    expect(made?.virtualHosts[0]?.domains).toContain('reviews.default');
  });

  it('a service without VirtualService has the route "default": no timeout, the default retries', () => {
    const routes = routesOf([]);
    expect(json(routes[0])).toEqual({
      name: 'default',
      match: { prefix: '/' },
      route: {
        cluster: REVIEWS_ROUTES,
        timeout: '0s',
        retryPolicy: {
          retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
          numRetries: 2,
          hostSelectionRetryMaxAttempts: '5',
          retryHostPredicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              typedConfig: {
                '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
              },
            },
          ],
        },
      },
    });
    expect(routes).toHaveLength(1);
  });

  it('does not exist for an unknown host, port or a name that is none', () => {
    const world = worldFromYaml(REVIEWS);
    for (const name of [
      'outbound|9080||nobody.default.svc.cluster.local',
      'outbound|9999||reviews.default.svc.cluster.local',
      V('v1'),
      'x',
    ]) {
      expect(routeConfiguration(world, DEFAULT, name)).toBeUndefined();
    }
  });

  it('keeps the order of rules: one route a match, nothing after the first that takes everything', () => {
    const rule = reviewsRule(`
    - match: [{ headers: { end-user: { exact: jason } } }, { uri: { prefix: /beta } }]
      route: ${to('v2')}
    - route: ${to('v1')}
    - match: [{ uri: { exact: /never } }]
      route: ${to('v3')}`);
    expect(clusters(routesOf([rule, REVIEWS_SUBSETS]))).toEqual([V('v2'), V('v2'), V('v1')]);
  });

  it('without a catch-all there is no default route: what matches nothing is answered 404', () => {
    const rule = reviewsRule(`
    - match: [{ uri: { exact: /only } }]
      route: ${to('v1')}`);
    expect(clusters(routesOf([rule]))).toEqual([V('v1')]);
  });

  it('names the object each route comes from in filter_metadata.istio.config', () => {
    const [route] = routesOf([reviewsRule(`    - route: ${to('v1')}`)]);
    expect(route?.metadata?.filterMetadata.istio).toEqual({
      config: '/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews',
    });
  });

  it('names routes by rule and match', () => {
    const rule = reviewsRule(`
    - name: beta
      match: [{ name: jason, uri: { prefix: /a } }, { uri: { prefix: /b } }]
      route: ${to('v1')}`);
    expect(routesOf([rule]).map(({ name }) => name)).toEqual(['beta.jason', 'beta']);
  });

  it('matches uri, method, authority, scheme, headers, withoutHeaders and query, all of one match together', () => {
    const rule = reviewsRule(`
    - match:
        - uri: { regex: '/v[0-9]+/.*' }
          ignoreUriCase: true
          method: { exact: GET }
          authority: { prefix: reviews }
          scheme: { exact: http }
          headers: { X-B: { regex: 'a|b' }, x-a: {}, x-c: { prefix: p } }
          withoutHeaders: { x-z: { exact: no }, x-y: {} }
          queryParams: { q: { exact: '1' }, p: {} }
      route: ${to('v1')}`);
    expect(json(routesOf([rule])[0])).toMatchObject({
      match: {
        safeRegex: { regex: '/v[0-9]+/.*' },
        caseSensitive: false,
        headers: [
          { name: 'x-b', stringMatch: { safeRegex: { regex: 'a|b' } } },
          { name: 'x-a', presentMatch: true },
          { name: 'x-c', stringMatch: { prefix: 'p' } },
          { name: 'x-y', presentMatch: true, invertMatch: true },
          { name: 'x-z', stringMatch: { exact: 'no' }, invertMatch: true, treatMissingHeaderAsEmpty: true },
          { name: ':method', stringMatch: { exact: 'GET' } },
          { name: ':authority', stringMatch: { prefix: 'reviews' } },
          { name: ':scheme', stringMatch: { exact: 'http' } },
        ],
        queryParameters: [
          { name: 'p', presentMatch: true },
          { name: 'q', stringMatch: { exact: '1' } },
        ],
      },
    });
  });

  it('drops at translation what can never hold for this client: port, sourceLabels, sourceNamespace, gateways', () => {
    const rule = reviewsRule(`
    - match: [{ port: 80 }]
      route: ${to('p80')}
    - match: [{ sourceLabels: { app: web } }]
      route: ${to('web')}
    - match: [{ sourceNamespace: shop }]
      route: ${to('shop')}
    - match: [{ gateways: [public] }]
      route: ${to('public')}
    - match: [{ gateways: [mesh], sourceLabels: { app: nobody } }]
      route: ${to('mesh')}`);
    expect(clusters(routesOf([rule]))).toEqual([V('mesh')]);
    const web = viewFrom('shop', {
      labels: new Map([
        ['app', 'web'],
        ['x', 'y'],
      ]),
    });
    expect(clusters(routesOf([rule], web))).toEqual([V('web')]);
    expect(clusters(routesOf([rule], viewFrom('shop')))).toEqual([V('shop')]);
  });

  it('a match on the client alone takes everything for it: nothing follows', () => {
    const rule = reviewsRule(`
    - match: [{ sourceLabels: { app: web } }]
      route: ${to('v2')}
    - route: ${to('v1')}`);
    expect(clusters(routesOf([rule], viewFrom('default', { labels: new Map([['app', 'web']]) })))).toEqual([V('v2')]);
    expect(clusters(routesOf([rule]))).toEqual([V('v1')]);
  });

  it('splits by raw weights, leaves out weight 0, and ignores the weight of a single destination', () => {
    const split = `
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 90 }
        - { destination: { host: reviews, subset: v2 }, weight: 0 }
        - { destination: { host: reviews, subset: v3 }, weight: 10 }`;
    expect(clusters(routesOf([reviewsRule(split)]))).toEqual([[`${V('v1')} 90`, `${V('v3')} 10`]]);
    expect(clusters(routesOf([reviewsRule(`    - route: [{ destination: { host: reviews }, weight: 0 }]`)]))).toEqual([
      V(''),
    ]);
  });

  it('a destination’s port: the written one, else the service’s only one, else the one dialled', () => {
    const rule = (destination: string) => reviewsRule(`    - route: [{ destination: ${destination} }]`);
    expect(clusters(routesOf([rule('{ host: ratings, port: { number: 7070 } }')]))).toEqual([
      'outbound|7070||ratings.default.svc.cluster.local',
    ]);
    expect(clusters(routesOf([rule('{ host: ratings }')]))).toEqual([
      'outbound|9080||ratings.default.svc.cluster.local',
    ]);
    const web = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }`;
    expect(clusters(routesOf([web, rule('{ host: web }')]))).toEqual(['outbound|80||web.default.svc.cluster.local']);
  });

  it('a missing host or subset keeps its name: the client answers 503 NC', () => {
    const made = routeConfiguration(
      worldFromYaml(REVIEWS, REVIEWS_SUBSETS, reviewsRule(`    - route: ${to('v9')}`)),
      DEFAULT,
      REVIEWS_ROUTES,
    );
    expect(made?.routes[0]?.notes).toContain(
      `${V('v9')}: subset "v9" is not defined in DestinationRule default/reviews (it has: v1, v2, v3); calls answer 503`,
    );
    expect(clusters(made?.configuration.virtualHosts[0]?.routes ?? [])).toEqual([V('v9')]);
  });
});

describe('routeConfiguration, actions', () => {
  const action = (http: string) => json(routesOf([reviewsRule(`    - ${http}`)])[0]);

  it('timeout is the whole call’s; an Envoy hears max_grpc_timeout too, whose default is 15 s, gRPC max_stream_duration', () => {
    const rule = reviewsRule(`    - { timeout: 500ms, route: ${to('v1')} }`);
    expect(json(routesOf([rule])[0])).toMatchObject({ route: { timeout: '0.500s' } });
    expect(json(routesOf([rule])[0])).not.toHaveProperty('route.maxGrpcTimeout');
    expect(json(routesOf([rule], viewFrom('default', { kind: 'envoy' }))[0])).toMatchObject({
      route: { timeout: '0.500s', maxGrpcTimeout: '0.500s' },
    });
    const grpc = viewFrom('default', { kind: 'grpc' });
    expect(json(routesOf([rule], grpc)[0])).toMatchObject({
      route: { maxStreamDuration: { maxStreamDuration: '0.500s' } },
    });
    expect(json(routesOf([], grpc)[0])).toMatchObject({ route: { maxStreamDuration: { maxStreamDuration: '0s' } } });
  });

  it('rewrites path prefix, path by regex, and authority', () => {
    expect(action(`{ rewrite: { uri: /new, authority: other }, route: ${to('v1')} }`)).toMatchObject({
      route: { prefixRewrite: '/new', hostRewriteLiteral: 'other' },
    });
    expect(
      action(`{ rewrite: { uriRegexRewrite: { match: '/a/(.*)', rewrite: '/b/\\1' } }, route: ${to('v1')} }`),
    ).toMatchObject({
      route: { regexRewrite: { pattern: { regex: '/a/(.*)' }, substitution: '/b/\\1' } },
    });
  });

  it('header operations: sets overwrite, adds append, both by name; host is a rewrite, not a header', () => {
    const made = action(
      `{ headers: { request: { set: { x-b: '2', x-a: '1', host: other }, add: { x-c: '3' }, remove: [x-d] }, response: { add: { x-e: '5' } } }, route: ${to('v1')} }`,
    );
    expect(made).toMatchObject({
      requestHeadersToAdd: [
        { header: { key: 'x-a', value: '1' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-b', value: '2' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-c', value: '3' } },
      ],
      requestHeadersToRemove: ['x-d'],
      responseHeadersToAdd: [{ header: { key: 'x-e', value: '5' } }],
      route: { hostRewriteLiteral: 'other' },
    });
  });

  it('operations of a single destination join the route’s, of several stand at their cluster', () => {
    const headers = '{ request: { set: { x-v: one } } }';
    expect(
      action(
        `{ headers: { request: { set: { x-r: r } } }, route: [{ destination: { host: reviews }, headers: ${headers} }] }`,
      ),
    ).toMatchObject({
      requestHeadersToAdd: [{ header: { key: 'x-r' } }, { header: { key: 'x-v' } }],
    });
    const split = action(
      `{ route: [{ destination: { host: reviews, subset: v1 }, weight: 1, headers: ${headers} }, { destination: { host: reviews, subset: v2 }, weight: 1 }] }`,
    );
    expect(split).not.toHaveProperty('requestHeadersToAdd');
    expect(split).toMatchObject({
      route: {
        weightedClusters: { clusters: [{ requestHeadersToAdd: [{ header: { key: 'x-v' } }] }, { name: V('v2') }] },
      },
    });
  });

  it('redirects: 301 by default, never the scheme’s own port, the dialled one on request', () => {
    expect(action('{ redirect: { uri: /new, authority: example.com } }')).toMatchObject({
      redirect: { hostRedirect: 'example.com', pathRedirect: '/new' },
    });
    expect(action('{ redirect: { scheme: https, port: 443, redirectCode: 308 } }')).toMatchObject({
      redirect: { schemeRedirect: 'https', responseCode: 'PERMANENT_REDIRECT' },
    });
    expect(action('{ redirect: { scheme: https, port: 443 } }')).not.toHaveProperty('redirect.portRedirect');
    expect(action('{ redirect: { derivePort: FROM_REQUEST_PORT } }')).toMatchObject({
      redirect: { portRedirect: 9080 },
    });
  });

  it('answers directly', () => {
    expect(action('{ directResponse: { status: 418, body: { string: teapot } } }')).toMatchObject({
      directResponse: { status: 418, body: { inlineString: 'teapot' } },
    });
  });

  it('retries: numbers in retryOn are status codes, attempts 0 switches them off', () => {
    expect(
      action(`{ retries: { attempts: 3, perTryTimeout: 2s, retryOn: 'gateway-error,503,429' }, route: ${to('v1')} }`),
    ).toMatchObject({
      route: {
        retryPolicy: {
          numRetries: 3,
          perTryTimeout: '2s',
          retryOn: 'gateway-error,retriable-status-codes',
          retriableStatusCodes: [503, 429],
        },
      },
    });
    expect(action(`{ retries: { attempts: 0 }, route: ${to('v1')} }`)).not.toHaveProperty('route.retryPolicy');
  });

  it('faults: per million of what was written, gRPC codes by name; the filter is on the listener only then', () => {
    const made = action(
      `{ fault: { delay: { fixedDelay: 2s, percentage: { value: 0.1 } }, abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }, route: ${to('v1')} }`,
    );
    expect(made).toMatchObject({
      typedPerFilterConfig: {
        'envoy.filters.http.fault': {
          delay: { fixedDelay: '2s', percentage: { numerator: 1000, denominator: 'MILLION' } },
          abort: { grpcStatus: 14, percentage: { numerator: 1_000_000, denominator: 'MILLION' } },
        },
      },
    });
  });

  it('mirrors everything unless told otherwise, and 0 % is no mirror', () => {
    const mirror = { cluster: V('v2'), traceSampled: false, disableShadowHostSuffixAppend: true };
    const mirrored = (rest: string) => action(`{ mirror: { host: reviews, subset: v2 }, ${rest} route: ${to('v1')} }`);
    expect(mirrored('')).toMatchObject({
      route: { requestMirrorPolicies: [{ ...mirror, runtimeFraction: { defaultValue: { numerator: 100 } } }] },
    });
    expect(mirrored('mirrorPercentage: { value: 12.5 },')).toMatchObject({
      route: {
        requestMirrorPolicies: [{ runtimeFraction: { defaultValue: { numerator: 125_000, denominator: 'MILLION' } } }],
      },
    });
    expect(mirrored('mirrorPercentage: { value: 0 },')).not.toHaveProperty('route.requestMirrorPolicies');
  });

  it('cors', () => {
    expect(
      action(
        `{ corsPolicy: { allowOrigins: [{ exact: https://a.example }], allowMethods: [GET, POST], maxAge: 24h, allowCredentials: true }, route: ${to('v1')} }`,
      ),
    ).toMatchObject({
      route: {
        cors: {
          allowOriginStringMatch: [{ exact: 'https://a.example' }],
          allowMethods: 'GET,POST',
          maxAge: '86400',
          allowCredentials: true,
          forwardNotMatchingPreflights: true,
        },
      },
    });
  });

  it.each([
    ['{ httpHeaderName: x-user }', { header: { headerName: 'x-user' } }],
    ['{ httpCookie: { name: session, ttl: 60s, path: / } }', { cookie: { name: 'session', ttl: '60s', path: '/' } }],
    ['{ useSourceIp: true }', { connectionProperties: { sourceIp: true } }],
    ['{ httpQueryParameterName: user }', { queryParameter: { name: 'user' } }],
  ])(
    'the cluster’s consistentHash %s is the route’s hash policy, and retries stay on the hashed host',
    (hash, policy) => {
      const made = json(routesOf([reviewsPolicy(`{ loadBalancer: { consistentHash: ${hash} } }`)])[0]);
      expect(made).toMatchObject({ route: { hashPolicy: [policy] } });
      expect(made).not.toHaveProperty('route.retryPolicy.retryHostPredicate');
    },
  );
});

describe('routeConfiguration, which VirtualService', () => {
  const rule = (name: string, hosts: string, subset: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${hosts}]
${rest}
  http: [{ route: [{ destination: { host: reviews.default.svc.cluster.local, subset: ${subset} } }] }]`;

  it('the first by name owns a host where none has an age; two are not merged', () => {
    expect(clusters(routesOf([rule('b', 'reviews', 'b'), rule('a', 'reviews', 'a')]))).toEqual([V('a')]);
  });

  it('the oldest owns it', () => {
    const aged = (name: string, time: string) =>
      rule(name, 'reviews', name).replace('namespace: default', `namespace: default, creationTimestamp: '${time}'`);
    expect(clusters(routesOf([aged('a', '2026-02-01T00:00:00Z'), aged('b', '2026-01-01T00:00:00Z')]))).toEqual([
      V('b'),
    ]);
  });

  it('exact beats wildcard, the longer wildcard the shorter', () => {
    const any = rule('any', '"*.cluster.local"', 'any');
    const namespace = rule('namespace', '"*.default.svc.cluster.local"', 'ns');
    expect(clusters(routesOf([any]))).toEqual([V('any')]);
    expect(clusters(routesOf([any, namespace]))).toEqual([V('ns')]);
    expect(clusters(routesOf([any, namespace, rule('x', 'reviews', 'exact')]))).toEqual([V('exact')]);
  });

  it('by IP, for the service that owns the address', () => {
    expect(clusters(routesOf([rule('ip', '10.96.0.7', 'ip')]))).toEqual([V('ip')]);
  });

  it('one for gateways alone does not apply to the mesh, one that also names mesh does', () => {
    expect(clusters(routesOf([rule('gw', 'reviews', 'gw', '  gateways: [public]')]))).toEqual([V('')]);
    expect(clusters(routesOf([rule('gw', 'reviews', 'gw', '  gateways: [public, mesh]')]))).toEqual([V('gw')]);
  });

  it('one that is not exported to the client’s namespace does not apply there', () => {
    const hidden = rule('private', 'reviews', 'private', "  exportTo: ['.']");
    expect(clusters(routesOf([hidden]))).toEqual([V('private')]);
    expect(clusters(routesOf([hidden], viewFrom('shop')))).toEqual([V('')]);
  });

  it('a host that no service has is routed on port 80 (Istio’s listener 0.0.0.0_80)', () => {
    const rules = [rule('outside', 'virtual.example.com', 'v1')];
    const routes = routesOf(rules, DEFAULT, 'outbound|80||virtual.example.com');
    expect(clusters(routes)).toEqual(['outbound|9080|v1|reviews.default.svc.cluster.local']);
    expect(routesOf(rules, DEFAULT, 'outbound|8080||virtual.example.com')).toEqual([]);
  });

  it('http rules do not apply to an opaque TCP port', () => {
    const tcp = `
apiVersion: v1
kind: Service
metadata: { name: store, namespace: default }
spec: { selector: { app: store }, ports: [{ name: tcp-store, port: 5000 }] }`;
    const routes = routesOf(
      [tcp, rule('store', 'store', 'v1')],
      DEFAULT,
      'outbound|5000||store.default.svc.cluster.local',
    );
    expect(clusters(routes)).toEqual(['outbound|5000||store.default.svc.cluster.local']);
  });
});
