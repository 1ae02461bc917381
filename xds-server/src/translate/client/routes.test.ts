import { toJson } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { type Route, RouteSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { routeConfiguration } from '../route/route-configuration.ts';

const GRPC = viewFrom('default', { kind: 'grpc' });
const TO_V1 = 'route: [{ destination: { host: reviews, subset: v1 } }]';

interface Written {
  readonly match?: string;
  readonly rest?: string;
}

const jsonOf = (route: Route) => toJson(RouteSchema, route, { registry });

const made = ({ match, rest = TO_V1 }: Written, view = GRPC) => {
  const rule = reviewsRule(`    - { ${match === undefined ? '' : `match: [{ ${match} }], `}${rest} }`);
  const translated = routeConfiguration(worldFromYaml(REVIEWS, REVIEWS_SUBSETS, rule), view, REVIEWS_ROUTES);
  return {
    routes: translated?.configuration.virtualHosts[0]?.routes.map(jsonOf),
    changed: translated?.changed.map(({ message }) => message),
  };
};

const ROOT = { prefix: '/', caseSensitive: true };
const NOBODY = [{ match: { prefix: '/' }, route: { cluster: 'not-for-grpc' } }];
const without = (name: string, match: object) => ({ name, invertMatch: true, ...match });

describe('matches, for gRPC clients', () => {
  it.each<[string, string, readonly object[]]>([
    ['an exact path stays', 'uri: { exact: /a.B/C }', [{ path: '/a.B/C', caseSensitive: true }]],
    [
      'alternatives of a regular expression are put in a group, which grpc-js would anchor apart',
      "uri: { regex: '/a|/b' }",
      [{ safeRegex: { regex: '(?:/a|/b)' }, caseSensitive: true }],
    ],
    [
      'so are those of a header',
      "headers: { user: { regex: 'a|b' } }",
      [{ ...ROOT, headers: [{ name: 'user', stringMatch: { safeRegex: { regex: '(?:a|b)' } } }] }],
    ],
    [
      'without a value: the header is absent, or there with another one',
      'withoutHeaders: { user: { exact: a } }',
      [
        { ...ROOT, headers: [without('user', { presentMatch: true })] },
        { ...ROOT, headers: [without('user', { stringMatch: { exact: 'a' } })] },
      ],
    ],
    [
      'without an expression that an absent header meets as the empty text: it has to be there',
      "withoutHeaders: { user: { regex: 'a*' } }",
      [{ ...ROOT, headers: [without('user', { stringMatch: { safeRegex: { regex: 'a*' } } })] }],
    ],
    [
      'without any value: absent',
      'withoutHeaders: { user: {} }',
      [{ ...ROOT, headers: [without('user', { presentMatch: true })] }],
    ],
    ['every call is a POST', 'method: { exact: POST }', [ROOT]],
    ['an application of a mesh calls in clear text', 'scheme: { exact: http }', [ROOT]],
    ['an authority that every name of the service meets says nothing', "authority: { regex: '.*' }", [ROOT]],
    ['without a binary header: it counts as absent', 'withoutHeaders: { x-bin: {} }', [ROOT]],
  ])('%s', (_, match, expected) => {
    const { routes, changed } = made({ match });
    expect(routes?.map((route) => (route as { match: object }).match)).toEqual(expected);
    expect(changed).toEqual([]);
  });

  it.each([
    ['a query parameter', 'queryParams: { a: { exact: b } }', 'a gRPC call has no query parameters'],
    ['another method', 'method: { exact: GET }', ':method: no gRPC call meets it'],
    ['another scheme', 'scheme: { exact: https }', ':scheme: no gRPC call meets it'],
    ['one name of many', 'authority: { exact: reviews }', ':authority: not every name of this service meets it'],
    ['a binary header', 'headers: { x-bin: { exact: a } }', 'x-bin: binary metadata are not matched'],
    [
      'five headers that may be absent',
      'withoutHeaders: { a: { exact: x }, b: { exact: x }, c: { exact: x }, d: { exact: x }, e: { exact: x } }',
      'more headers in withoutHeaders than gRPC clients can be asked for (4)',
    ],
  ])('%s: the route is left out, and said so', (_, match, reason) => {
    expect(made({ match })).toEqual({ routes: NOBODY, changed: [`left out: ${reason}`] });
  });

  it('no route at all: calls go to nobody, for of a table without a cluster grpc-java says INTERNAL', () => {
    const rule = reviewsRule('    - { delegate: { name: missing } }').replace('[reviews]', '[nobody]');
    const { configuration } =
      routeConfiguration(worldFromYaml(rule), GRPC, 'outbound|80||nobody.default.svc.cluster.local') ?? {};
    expect(configuration?.virtualHosts[0]?.routes.map(jsonOf)).toEqual(NOBODY);
  });

  it('four headers that may be absent are sixteen routes, all of one origin', () => {
    const match = 'withoutHeaders: { a: { exact: x }, b: { exact: x }, c: { exact: x }, d: { exact: x } }';
    expect(made({ match }).routes).toHaveLength(16);
  });
});

describe('actions, for gRPC clients', () => {
  it.each([
    ['redirect: { uri: /new }', 'gRPC follows no redirect: calls fail UNAVAILABLE'],
    ['directResponse: { status: 200 }', 'gRPC has no direct response: calls fail UNAVAILABLE'],
  ])('%s goes to nobody, and leaves the other routes alone', (rest, message) => {
    const { routes, changed } = made({ match: 'uri: { prefix: /a }', rest });
    expect(routes).toEqual([expect.objectContaining({ route: { cluster: 'not-for-grpc' } })]);
    expect(changed).toEqual([message]);
  });

  it.each([
    ['nothing written', '', { retryOn: 'unavailable,cancelled', numRetries: 2 }],
    ['5xx', 'retries: { attempts: 3, retryOn: 5xx }, ', { retryOn: 'unavailable', numRetries: 3 }],
    [
      'words of gRPC, with spaces',
      'retries: { attempts: 1, retryOn: "unavailable, resource-exhausted" }, ',
      { retryOn: 'unavailable,resource-exhausted', numRetries: 1 },
    ],
    ['503', 'retries: { attempts: 1, retryOn: "503" }, ', { retryOn: 'unavailable', numRetries: 1 }],
    ['409', 'retries: { attempts: 1, retryOn: "409" }, ', undefined],
    ['retriable-4xx', 'retries: { attempts: 1, retryOn: retriable-4xx }, ', undefined],
    ['none', 'retries: { attempts: 0 }, ', undefined],
    [
      'what gRPC does not read is not sent',
      'retries: { attempts: 2, retryOn: reset, perTryTimeout: 1s, retryRemoteLocalities: true, backoff: 50ms }, ',
      { retryOn: 'unavailable', numRetries: 2, retryBackOff: { baseInterval: '0.050s' } },
    ],
  ])('retries, %s', (_, retries, expected) => {
    const route = made({ rest: `${retries}${TO_V1}` }).routes?.[0] as { route: { retryPolicy?: object } };
    expect(route.route.retryPolicy).toEqual(expected);
  });
});

describe('timeouts, for gRPC clients', () => {
  const core = viewFrom('default', { kind: 'grpc', client: 'core', abilities: ['earlyTimeouts'] });
  const longest = (rest: string, view = GRPC): unknown => {
    const [route] = (made({ rest }, view).routes ?? []) as { route: { maxStreamDuration: object } }[];
    return route?.route.maxStreamDuration;
  };

  it('are the longest time of a call; C-core, which begins to count up to two seconds before it, gets two more', () => {
    const timed = `timeout: 500ms, ${TO_V1}`;
    expect(longest(timed)).toEqual({ maxStreamDuration: '0.500s' });
    expect(longest(timed, core)).toEqual({ maxStreamDuration: '2.500s' });
  });

  it('none is none', () => {
    for (const view of [GRPC, core]) expect(longest(TO_V1, view)).toEqual({ maxStreamDuration: '0s' });
  });
});
