import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import type { HeaderMatch, PathMatch, RouteMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';
import type { RouteConfiguration } from '../model/route.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import {
  configuration,
  header,
  match,
  NO_MUTATION,
  path,
  query,
  request,
  route,
  setHeader,
  text,
  virtualHost,
} from './route.fixture.ts';
import { NO_ROUTE, NO_VIRTUAL_HOST, type RouteDecision } from './table.ts';
import { createTrace } from './trace.ts';

const noDraw = (): number => {
  throw new Error('nothing here asks for chance');
};

const onVirtualHost = (...routes: ReturnType<typeof route>[]): RouteConfiguration =>
  configuration([virtualHost('v', ['*'], routes)]);

function routeName(config: RouteConfiguration, more: Partial<MeshRequest> = {}, random = noDraw): string {
  const decision = decide(compileRouteTable(config), request(more), random);
  return decision.kind === 'route' ? decision.routeName : decision.reason;
}

describe('decide: routes', () => {
  it.each<[rule: string, config: RouteConfiguration, more: Partial<MeshRequest>, expected: string]>([
    [
      'the first route that matches wins, not the most specific (Envoy VirtualHost.routes)',
      onVirtualHost(route('all', {}), route('exact', { path: path('exact', '/x') })),
      { path: '/x' },
      'all',
    ],
    [
      'a regex route keeps its place between indexed ones',
      onVirtualHost(
        route('never', { path: path('exact', '/y') }),
        route('regex', { path: { kind: 'regex', value: '/x.*' } }),
        route('prefix', { path: path('prefix', '/x') }),
      ),
      { path: '/xyz' },
      'regex',
    ],
    [
      'a longer prefix further down loses to a shorter one above',
      onVirtualHost(route('short', { path: path('prefix', '/a') }), route('long', { path: path('prefix', '/a/b') })),
      { path: '/a/b/c' },
      'short',
    ],
    [
      'a route whose header rule fails lets the next one try',
      onVirtualHost(
        route('jason', { path: path('prefix', '/a'), headers: [header('end-user', text('exact', 'jason'))] }),
        route('rest', {}),
      ),
      { path: '/a', headers: ['end-user', 'bob'] },
      'rest',
    ],
    [
      'an empty prefix matches every path',
      onVirtualHost(route('empty', { path: path('prefix', '') })),
      { path: '/x' },
      'empty',
    ],
    [
      'a prefix needs no segment end (Envoy RouteMatch.prefix)',
      onVirtualHost(route('api', { path: path('prefix', '/api') })),
      { path: '/apix' },
      'api',
    ],
    [
      'the query string is no part of the path (Envoy RouteMatch)',
      onVirtualHost(route('exact', { path: path('exact', '/a') })),
      { path: '/a?b=c' },
      'exact',
    ],
    [
      'case is ignored where the route says so, beside routes that mind it',
      onVirtualHost(
        route('minds', { path: path('exact', '/A') }),
        route('folds', { path: path('prefix', '/A', false) }),
      ),
      { path: '/a/B' },
      'folds',
    ],
    [
      'a rule outside ASCII means its UTF-8 bytes',
      onVirtualHost(route('umlaut', { path: path('prefix', '/ä') })),
      { path: '/\xc3\xa4b' },
      'umlaut',
    ],
    [
      'a rule with a question mark never matches',
      onVirtualHost(route('question', { path: path('prefix', '/a?b') }), route('rest', {})),
      { path: '/a?b' },
      'rest',
    ],
    [
      'gRPC rules ask for the content type (Envoy RouteMatch.grpc)',
      onVirtualHost(route('grpc', { grpc: true }), route('rest', {})),
      { headers: ['content-type', 'application/grpc+proto'] },
      'grpc',
    ],
    [
      'application/grpc-web is not gRPC',
      onVirtualHost(route('grpc', { grpc: true }), route('rest', {})),
      { headers: ['content-type', 'application/grpc-web'] },
      'rest',
    ],
    ['no content type is not gRPC', onVirtualHost(route('grpc', { grpc: true }), route('rest', {})), {}, 'rest'],
    [
      'query rules and header rules must all hold',
      onVirtualHost(
        route('both', {
          queryParameters: [query('v', text('exact', '2'))],
          headers: [header('a', text('exact', 'b'))],
        }),
        route('rest', {}),
      ),
      { path: '/?v=2', headers: ['a', 'b'] },
      'both',
    ],
    [
      'a failing query rule fails the route',
      onVirtualHost(route('both', { queryParameters: [query('v', text('exact', '2'))] }), route('rest', {})),
      { path: '/?v=1' },
      'rest',
    ],
    [
      'an expression that does not compile never matches',
      onVirtualHost(route('broken', { path: { kind: 'regex', value: '(' } }), route('rest', {})),
      {},
      'rest',
    ],
    [
      'a template matches by segment (Envoy UriTemplateMatchConfig)',
      onVirtualHost(route('template', { path: { kind: 'template', value: '/users/{id}/posts/*' } })),
      { path: '/users/7/posts/8' },
      'template',
    ],
  ])('%s', (_, config, more, expected) => {
    expect(routeName(config, more)).toBe(expected);
  });

  it('answers NO_ROUTE when no route of the host matches (Envoy: 404 NR)', () => {
    const table = compileRouteTable(onVirtualHost(route('x', { path: path('exact', '/x') })));
    expect(decide(table, request({ path: '/y' }), noDraw)).toBe(NO_ROUTE);
    expect(decide(table, request({ path: '/xx' }), noDraw)).toBe(NO_ROUTE);
    expect(decide(table, request({ path: '' }), noDraw)).toBe(NO_ROUTE);
  });

  it('gives every fraction of a request the same draw (Envoy runtime_fraction)', () => {
    const config = onVirtualHost(
      route('tenth', { fraction: { numerator: 10, denominator: 100 } }),
      route('thousandth', { fraction: { numerator: 1_000, denominator: 1_000_000 } }),
      route('rest', {}),
    );
    const draws: number[] = [];
    const drawn = (value: number) => () => {
      draws.push(value);
      return value;
    };
    expect(routeName(config, {}, drawn(109))).toBe('tenth');
    expect(routeName(config, {}, drawn(4_000_000_999))).toBe('thousandth');
    expect(routeName(config, {}, drawn(4_294_967_295))).toBe('rest');
    expect(draws).toHaveLength(3);
  });

  it('returns the same object for the same route', () => {
    const table = compileRouteTable(onVirtualHost(route('x')));
    expect(decide(table, request(), noDraw)).toBe(decide(table, request({ path: '/other' }), noDraw));
  });
});

describe('decide: virtual hosts', () => {
  const named = (name: string, ...domains: string[]) => virtualHost(name, domains, [route(name)]);

  it.each<[rule: string, hosts: ReturnType<typeof named>[], authority: string, expected: string]>([
    [
      'an exact domain beats every wildcard',
      [named('s', '*.x.com'), named('e', 'a.x.com'), named('any', '*')],
      'a.x.com',
      'e',
    ],
    ['a suffix beats a prefix', [named('p', 'a.*'), named('s', '*.com')], 'a.com', 's'],
    ['a prefix beats *', [named('any', '*'), named('p', 'a.*')], 'a.org', 'p'],
    ['the longest suffix wins', [named('short', '*.com'), named('long', '*.x.com')], 'a.x.com', 'long'],
    ['the longest prefix wins', [named('short', 'a.*'), named('long', 'a.b.*')], 'a.b.c', 'long'],
    [
      'a suffix wildcard stands for at least one character',
      [named('s', '*.x.com'), named('any', '*')],
      '.x.com',
      'any',
    ],
    ['a prefix wildcard stands for at least one character', [named('p', 'a.*'), named('any', '*')], 'a.', 'any'],
    ['a suffix need not begin with a dot', [named('s', '*-bar.x.com')], 'foo-bar.x.com', 's'],
    ['case is no matter', [named('e', 'Reviews.Default')], 'reviews.DEFAULT', 'e'],
    ['the port is part of the name', [named('p', 'a:80'), named('n', 'a')], 'a:80', 'p'],
    ['a name without a port is another name', [named('p', 'a:80'), named('n', 'a')], 'a', 'n'],
    [
      'the first of two equal domains counts',
      [named('1', 'a', '*', '*b', 'c*'), named('2', 'a', '*', '*b', 'c*')],
      'a',
      '1',
    ],
  ])('%s (Envoy VirtualHost.domains)', (_, hosts, authority, expected) => {
    expect(routeName(configuration(hosts), { authority })).toBe(expected);
  });

  it('answers NO_VIRTUAL_HOST when no domain fits', () => {
    expect(decide(compileRouteTable(configuration([named('a', 'a')])), request({ authority: 'b' }), noDraw)).toBe(
      NO_VIRTUAL_HOST,
    );
  });

  it.each([
    ['a:8080', 'plain'],
    ['[::1]:8080', 'six'],
    ['[::1]', 'six'],
    ['a', 'plain'],
  ])('takes the port off %s where ports are ignored (Envoy ignore_port_in_host_matching)', (authority, expected) => {
    const config = configuration([named('plain', 'a'), named('six', '[::1]')], { ignorePortInHostMatching: true });
    expect(routeName(config, { authority })).toBe(expected);
  });
});

describe('decide: what a decision carries', () => {
  const mutation = (value: string) => ({ set: [setHeader('x', value)], remove: [] });
  const levels = (more: Partial<RouteConfiguration>) => {
    const config = configuration(
      [
        virtualHost(
          'v',
          ['*'],
          [route('r', {}, undefined, { requestHeaders: mutation('route'), configPath: 'vs/ns/name' })],
          { requestHeaders: mutation('host') },
        ),
      ],
      { requestHeaders: mutation('config'), ...more },
    );
    return decide(compileRouteTable(config), request(), noDraw) as RouteDecision;
  };
  const values = ({ requestHeaders }: RouteDecision) => requestHeaders.map(({ set }) => set[0]?.value);

  it('orders mutations from the most specific level (Envoy evaluates the route first, so the configuration wins)', () => {
    expect(values(levels({}))).toEqual(['route', 'host', 'config']);
  });

  it('orders them the other way round with most_specific_header_mutations_wins', () => {
    expect(values(levels({ mostSpecificHeaderMutationsWins: true }))).toEqual(['config', 'host', 'route']);
  });

  it('leaves out levels without a mutation', () => {
    expect(values(levels({ requestHeaders: NO_MUTATION }))).toEqual(['route', 'host']);
    expect(levels({}).responseHeaders).toEqual([]);
  });

  it('names its virtual host, position and source', () => {
    expect(levels({})).toMatchObject({ virtualHost: 'v', routeIndex: 0, configPath: 'vs/ns/name' });
  });
});

describe('decide with a trace', () => {
  it('tells every rule up to the match and the first condition that failed', () => {
    const trace = createTrace();
    const config = onVirtualHost(
      route('v1', { path: path('prefix', '/api') }),
      route('', { headers: [header('end-user', text('exact', 'jason'))] }),
      route('v3', { queryParameters: [query('v', text('prefix', '3'))] }),
      route('v4', { grpc: true }),
      route('v5', { fraction: { numerator: 10, denominator: 100 } }),
      route('v6', {}),
      route('v7', {}),
    );
    const decision = decide(compileRouteTable(config), request({ path: '/x?v=2' }), () => 57, trace);
    expect(decision).toMatchObject({ routeName: 'v6' });
    expect(trace.virtualHost).toBe('v');
    expect(trace.considered).toEqual([
      { rule: 'v1: path prefix "/api"', matched: false, failed: 'path: wanted prefix "/api", got "/x"' },
      {
        rule: 'route 1: path prefix "/" and header end-user exact "jason"',
        matched: false,
        failed: 'header end-user: wanted exact "jason", got nothing',
      },
      {
        rule: 'v3: path prefix "/" and query parameter v prefix "3"',
        matched: false,
        failed: 'query parameter v: wanted prefix "3", got "2"',
      },
      {
        rule: 'v4: path prefix "/" and gRPC only',
        matched: false,
        failed: 'content type: wanted application/grpc, got nothing',
      },
      {
        rule: 'v5: path prefix "/" and 10 of 100 requests',
        matched: false,
        failed: 'fraction: wanted a draw below 10 of 100, got 57',
      },
      { rule: 'v6: path prefix "/"', matched: true },
    ]);
  });

  it('tells nothing of routes when no virtual host fits, and all of them when none matches', () => {
    const none = createTrace();
    decide(compileRouteTable(configuration([virtualHost('v', ['a'], [])])), request(), noDraw, none);
    expect(none).toEqual({ virtualHost: undefined, considered: [] });
    const all = createTrace();
    const table = compileRouteTable(onVirtualHost(route('x', { path: path('exact', '/x') })));
    expect(decide(table, request(), noDraw, all)).toBe(NO_ROUTE);
    expect(all.considered).toHaveLength(1);
  });
});

// The rules once more, as plainly as they can be written: what the compiled table must agree with.

function naivePath(rule: PathMatch, whole: string): boolean {
  const [bare = ''] = whole.split('?');
  if (rule.kind === 'regex') return RE2JS.compile(rule.value).testExact(bare);
  if (rule.kind === 'template' || rule.kind === 'connect') return false;
  const [a, b] = rule.caseSensitive ? [bare, rule.value] : [bare.toLowerCase(), rule.value.toLowerCase()];
  if (rule.kind === 'exact') return a === b;
  return a.startsWith(b) && (rule.kind === 'prefix' || a === b || a[b.length] === '/');
}

function naiveHeader({ name, invert, value }: HeaderMatch, { headers }: MeshRequest): boolean {
  const found = headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name);
  return value.kind === 'string' && found.length > 0 && found.includes(value.match.value) !== invert;
}

function naive(
  { routes }: { routes: RouteConfiguration['virtualHosts'][number]['routes'] },
  asked: MeshRequest,
  draw: number,
): number {
  return routes.findIndex(
    ({ match: rule }) =>
      naivePath(rule.path, asked.path) &&
      rule.headers.every((one) => naiveHeader(one, asked)) &&
      (rule.fraction === undefined || draw % rule.fraction.denominator < rule.fraction.numerator),
  );
}

const segment = fc.constantFrom('a', 'ab', 'abc', 'A', 'b', '', '~');
const anyPath = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const pathRule: fc.Arbitrary<PathMatch> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('exact' as const, 'prefix' as const, 'path-separated-prefix' as const),
      anyPath,
      fc.boolean(),
    )
    .map((all) => path(...all)),
  fc.constantFrom('/a.*', '.*b', '/(a|b)/.*', '/[^/]+', '.*').map((value) => ({ kind: 'regex' as const, value })),
  fc.constantFrom('', '/').map((value) => path('prefix', value)),
);
const headerRule = fc
  .tuple(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2', '1,2'), fc.boolean())
  .map(([name, value, invert]) => header(name, text('exact', value), { invert }));
const matchRule: fc.Arbitrary<RouteMatch> = fc
  .record({
    path: pathRule,
    headers: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(headerRule, { maxLength: 2 }) },
    ),
    fraction: fc.option(fc.nat(100), { nil: undefined, freq: 6 }),
  })
  .map(({ path: rule, headers, fraction }) =>
    match({
      path: rule,
      headers,
      ...(fraction === undefined ? {} : { fraction: { numerator: fraction, denominator: 100 } }),
    }),
  );
const anyRequest = fc
  .record({
    path: fc.tuple(anyPath, fc.constantFrom('', '?', '?a=/b')).map((parts) => parts.join('')),
    headers: fc
      .array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2')), { maxLength: 3 })
      .map((pairs) => pairs.flat()),
  })
  .map(request);

describe('decide on generated tables', () => {
  it('chooses what plain evaluation from top to bottom chooses, with and without a trace', () => {
    fc.assert(
      fc.property(
        fc.array(matchRule, { maxLength: 12 }),
        fc.array(anyRequest, { minLength: 1, maxLength: 8 }),
        fc.nat(0xffff_ffff),
        (rules, requests, draw) => {
          const routes = rules.map((rule, i) => route(`r${i}`, rule));
          const table = compileRouteTable(onVirtualHost(...routes));
          for (const asked of requests) {
            const decision = decide(table, asked, () => draw);
            expect(decision.kind === 'route' ? decision.routeIndex : -1).toBe(naive({ routes }, asked, draw));
            expect(decide(table, asked, () => draw, createTrace())).toBe(decision);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
