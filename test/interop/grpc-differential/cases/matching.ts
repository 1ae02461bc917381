import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { ENVOY_ACTIONS, HANG_MS, REST, to } from './pieces.ts';

/** One route to `a`, the rest to `b`. */
const only = (match: JsonObject): readonly JsonObject[] => [to('a', match), REST];
const header = (name: string, fields: JsonObject): JsonObject => ({ prefix: '', headers: [{ name, ...fields }] });
const text = (fields: JsonObject): JsonObject => ({ string_match: fields });

const withHeader = (name: string, ...values: readonly string[]): Ask => ({
  metadata: values.map((value) => [name, value] as const),
});
const paths = (...list: readonly string[]): readonly Ask[] => list.map((path) => ({ path }));

const match = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `match-${name}`,
  area: 'matching',
  ...given,
});

/** Matching that meshFetch has in common. */
const both = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => match(name, { fetch: true, ...given });

const PATHS: readonly GrpcCase[] = [
  both('prefix', {
    rule: '`prefix` is of the path, service and method',
    routes: only({ prefix: '/test.Echo/' }),
    steps: paths('/test.Echo/Say', '/test.EchoMore/Say', '/other.Echo/Say'),
  }),
  both('path-exact', {
    rule: '`path` is the whole method',
    routes: only({ path: '/test.Echo/Say' }),
    steps: paths('/test.Echo/Say', '/test.Echo/SayMore', '/test.Echo/sAY'),
  }),
  both('path-case', {
    rule: '`case_sensitive: false` holds for `path` and `prefix`',
    routes: [
      to('a', { path: '/test.Echo/SAY', case_sensitive: false }),
      to('a', { prefix: '/TEST.up/', case_sensitive: false }),
      REST,
    ],
    steps: paths('/test.Echo/Say', '/test.UP/x', '/test.Down/x'),
  }),
  both('regex', {
    rule: '`safe_regex` must match the whole path',
    routes: only({ safe_regex: { regex: '/test\\.Echo/S.*' } }),
    steps: paths('/test.Echo/Say', '/x/test.Echo/Say', '/test.Echo/Listen'),
  }),
  both('regex-alternation', {
    rule: '`safe_regex` with alternatives must match the whole path',
    routes: only({ safe_regex: { regex: '/test.Echo/Say|/test.Echo/Tell' } }),
    steps: paths('/test.Echo/Say', '/test.Echo/Tell', '/test.Echo/SayMore', '/x/test.Echo/Tell'),
  }),
  match('regex-case', {
    rule: '`case_sensitive: false` beside `safe_regex`',
    routes: only({ safe_regex: { regex: '/test.echo/say' }, case_sensitive: false }),
    steps: paths('/test.echo/say', '/test.Echo/Say'),
  }),
  match('path-separated-prefix', {
    rule: '`path_separated_prefix`',
    routes: only({ path_separated_prefix: '/test.Echo' }),
    steps: [{ path: '/test.Echo/Say' }],
  }),
  match('connect-matcher', {
    rule: '`connect_matcher`',
    routes: only({ connect_matcher: {} }),
    steps: [{}],
  }),
  both('order', {
    rule: 'the first route that matches is taken',
    routes: [to('a', { prefix: '/test.Echo/' }), to('b', { path: '/test.Echo/Say' })],
    steps: paths('/test.Echo/Say'),
  }),
  both('none', {
    rule: 'a call that no route takes',
    routes: [to('a', { prefix: '/other/' })],
    steps: [{}],
  }),
  both('grpc', {
    rule: '`grpc: {}` of a match',
    routes: only({ prefix: '', grpc: {} }),
    steps: [{}],
  }),
];

const HEADERS: readonly GrpcCase[] = [
  both('header-exact', {
    rule: '`string_match.exact`, with and without `ignore_case`',
    routes: [
      to('a', header('x-user', text({ exact: 'jason' }))),
      to('a', header('x-other', text({ exact: 'jason', ignore_case: true }))),
      REST,
    ],
    steps: [
      withHeader('x-user', 'jason'),
      withHeader('x-user', 'JASON'),
      withHeader('x-other', 'JASON'),
      withHeader('x-user', 'jason2'),
      {},
    ],
  }),
  both('header-parts', {
    rule: '`prefix`, `suffix` and `contains` of a header',
    routes: [
      to('a', header('x-prefix', text({ prefix: 'ab' }))),
      to('a', header('x-suffix', text({ suffix: 'yz' }))),
      to('a', header('x-contains', text({ contains: 'mn' }))),
      REST,
    ],
    steps: [
      withHeader('x-prefix', 'abc'),
      withHeader('x-prefix', 'cab'),
      withHeader('x-suffix', 'xyz'),
      withHeader('x-suffix', 'yzx'),
      withHeader('x-contains', 'lmno'),
      withHeader('x-contains', 'lno'),
    ],
  }),
  both('header-old-fields', {
    rule: 'the deprecated `exact_match`, `safe_regex_match`, `prefix_match`, `suffix_match`, `contains_match`',
    routes: [
      to('a', header('x-exact', { exact_match: 'e' })),
      to('a', header('x-regex', { safe_regex_match: { regex: 'r+' } })),
      to('a', header('x-prefix', { prefix_match: 'p' })),
      to('a', header('x-suffix', { suffix_match: 's' })),
      to('a', header('x-contains', { contains_match: 'c' })),
      REST,
    ],
    steps: [
      withHeader('x-exact', 'e'),
      withHeader('x-regex', 'rr'),
      withHeader('x-regex', 'rrx'),
      withHeader('x-prefix', 'pq'),
      withHeader('x-suffix', 'qs'),
      withHeader('x-contains', 'qcq'),
    ].map((ask) => ({ ...ask, timeoutMs: HANG_MS })),
  }),
  both('header-regex', {
    rule: 'a regex of a header must match its whole value, alternatives too',
    routes: only(header('x-user', text({ safe_regex: { regex: 'ja|jas' } }))),
    steps: [withHeader('x-user', 'ja'), withHeader('x-user', 'jas'), withHeader('x-user', 'jason'), {}],
  }),
  both('header-range', {
    rule: '`range_match`: half-open, decimal, negative too, nothing else',
    routes: only(header('x-n', { range_match: { start: '-5', end: '10' } })),
    steps: ['-5', '0', '9', '10', '-6', '1.5', '0x1', ''].map((value) => withHeader('x-n', value)),
  }),
  both('header-present', {
    rule: '`present_match: true`, an empty value too',
    routes: only(header('x-user', { present_match: true })),
    steps: [withHeader('x-user', 'any'), withHeader('x-user', ''), {}],
  }),
  both('header-present-false', {
    rule: '`present_match: false` matches an absent header',
    routes: only(header('x-user', { present_match: false })),
    steps: [{}, withHeader('x-user', 'any')],
  }),
  both('header-present-invert', {
    rule: '`present_match: true` with `invert_match` matches an absent header',
    routes: only(header('x-user', { present_match: true, invert_match: true })),
    steps: [{}, withHeader('x-user', 'any')],
  }),
  both('header-absent-invert', {
    rule: 'a header that is absent does not match a string, inverted or not',
    routes: only(header('x-user', { ...text({ exact: 'jason' }), invert_match: true })),
    steps: [withHeader('x-user', 'jason'), withHeader('x-user', 'other'), {}],
  }),
  both('header-absent-range-invert', {
    rule: 'a header that is absent does not match a range, inverted or not',
    routes: only(header('x-n', { range_match: { start: '0', end: '10' }, invert_match: true })),
    steps: [withHeader('x-n', '5'), withHeader('x-n', '50'), withHeader('x-n', 'many'), {}],
  }),
  match('header-joined', {
    rule: 'several values of a header are joined by a comma',
    routes: only(header('x-user', text({ safe_regex: { regex: 'a, ?b' } }))),
    steps: [withHeader('x-user', 'a', 'b'), withHeader('x-user', 'b', 'a'), withHeader('x-user', 'a,b')],
  }),
  match('header-binary', {
    rule: 'a `-bin` header counts as absent',
    routes: [
      to('a', header('x-user-bin', { present_match: true })),
      to('a', header('x-other-bin', text({ exact: 'jason' }))),
      REST,
    ],
    steps: [withHeader('x-user-bin', 'jason'), withHeader('x-other-bin', 'jason')],
  }),
  both('header-content-type', {
    rule: '`content-type` is application/grpc',
    routes: only(header('content-type', text({ exact: 'application/grpc' }))),
    steps: [{}],
  }),
  match('header-pseudo', {
    rule: '`:method` and `:path` are no headers to be matched',
    routes: [to('a', header(':method', text({ exact: 'POST' }))), REST],
    steps: [{}],
    differs:
      'One matcher for HTTP and gRPC: a rule for `:method` POST holds, as in Envoy; Istio writes its method rules so.',
  }),
  match('header-user-agent', {
    rule: '`user-agent` can be matched',
    routes: only(header('user-agent', { present_match: true })),
    steps: [{}],
  }),
  both('headers-all', {
    rule: 'all headers of a match must match',
    routes: [
      to('a', {
        prefix: '',
        headers: [
          { name: 'x-a', ...text({ exact: '1' }) },
          { name: 'x-b', ...text({ exact: '2' }) },
        ],
      }),
      REST,
    ],
    steps: [
      {
        metadata: [
          ['x-a', '1'],
          ['x-b', '2'],
        ],
      },
      withHeader('x-a', '1'),
    ],
  }),
  both('header-old-empty', {
    rule: 'a header with no specifier at all',
    routes: only(header('x-user', {})),
    steps: [withHeader('x-user', 'jason'), {}],
  }),
];

const OTHERS: readonly GrpcCase[] = [
  match('query-parameters', {
    rule: 'a route with `query_parameters` is skipped',
    routes: only({ prefix: '', query_parameters: [{ name: 'x', present_match: true }] }),
    steps: [{}],
  }),
  match('dynamic-metadata', {
    rule: 'a route with `dynamic_metadata`',
    routes: only({
      prefix: '',
      dynamic_metadata: [{ filter: 'f', path: [{ key: 'k' }], value: { present_match: true } }],
    }),
    steps: [{}],
  }),
  match('tls-context', {
    rule: 'a route with `tls_context`',
    routes: only({ prefix: '', tls_context: { presented: true } }),
    steps: [{}],
  }),
  both('fraction', {
    rule: '`runtime_fraction` of 0, and of 100 %',
    routes: [
      to('a', { prefix: '/zero/', runtime_fraction: { default_value: { numerator: 0 } } }),
      to('a', {
        prefix: '/all/',
        runtime_fraction: { default_value: { numerator: 1_000_000, denominator: 'MILLION' } },
      }),
      REST,
    ],
    steps: paths('/zero/x', '/all/x'),
  }),
  both('fraction-share', {
    rule: '`runtime_fraction` of 30 %',
    routes: only({ prefix: '', runtime_fraction: { default_value: { numerator: 3000, denominator: 'TEN_THOUSAND' } } }),
    steps: [{ times: 400, atOnce: 20, share: { a: 0.3, b: 0.7 } }],
  }),
  match('action-non-forwarding', {
    rule: '`non_forwarding_action`: its calls fail, the others do not',
    killsNode: true,
    routes: [{ match: { prefix: '/test.Local/' }, non_forwarding_action: {} }, REST],
    steps: paths('/test.Local/x', '/test.Echo/Say'),
  }),
  match('action-redirect', {
    rule: '`redirect`: its calls fail, the others do not',
    routes: [{ match: { prefix: '/test.Local/' }, redirect: { host_redirect: 'other' } }, REST],
    steps: paths('/test.Local/x', '/test.Echo/Say'),
  }),
  match('action-direct-response', {
    rule: '`direct_response`: its calls fail, the others do not',
    routes: [{ match: { prefix: '/test.Local/' }, direct_response: { status: 403 } }, REST],
    steps: paths('/test.Local/x', '/test.Echo/Say'),
    differs: 'A direct response is made, as Envoy does it; its HTTP status says which: 403 is PERMISSION_DENIED.',
  }),
  match('action-cluster-header', {
    rule: '`cluster_header`',
    routes: [{ match: { prefix: '/test.Local/' }, route: { cluster_header: 'x-cluster' } }, REST],
    steps: [{ path: '/test.Local/x', metadata: [['x-cluster', 'a']] }, { path: '/test.Echo/Say' }],
  }),
  match('action-rewrites', {
    rule: 'header changes, `prefix_rewrite` and `host_rewrite_literal` of a route',
    routes: [{ match: { prefix: '/test.Echo/' }, ...ENVOY_ACTIONS }],
    steps: [{ tell: ['sent'], sent: ['x-added', ':path', ':authority'] }],
    differs: 'What a route says of headers, path and host is done, as in Envoy: proxyless clients drop it silently.',
  }),
];

const domains = (list: Readonly<Record<string, readonly string[]>>): JsonObject => ({
  virtual_hosts: Object.entries(list).map(([cluster, names]) => ({
    name: cluster,
    domains: [...names],
    routes: [to(cluster, { prefix: '' })],
  })),
});
const host = (name: string, rule: string, list: Readonly<Record<string, readonly string[]>>): GrpcCase =>
  match(`domain-${name}`, {
    rule,
    target: 'xds:///svc.test:8080',
    listenerName: 'svc.test:8080',
    routeConfig: domains(list),
    steps: [{ timeoutMs: HANG_MS }],
  });

const DOMAINS: readonly GrpcCase[] = [
  host('exact', 'an exact domain before a suffix, before a prefix, before all', {
    b: ['*', 'svc.*', '*.test:8080'],
    a: ['svc.test:8080'],
  }),
  host('suffix', 'a suffix before a prefix', { b: ['*', 'svc.*'], a: ['*.test:8080'] }),
  host('prefix', 'a prefix before all', { b: ['*'], a: ['svc.*'] }),
  host('longest', 'the longest suffix', { b: ['*:8080'], a: ['*.test:8080'] }),
  host('case', 'domains have no case', { b: ['*'], a: ['SVC.Test:8080'] }),
  host('port', 'a domain without the port of the target is not it', { a: ['svc.test'] }),
  match('domain-port-80', {
    rule: 'of a target of port 80 the domain with the port is looked for, and not the one without',
    routeConfig: domains({ b: ['svc.test'], a: ['svc.test:80'] }),
    steps: [{ timeoutMs: HANG_MS }],
    differs:
      'The domain without the port goes first, as for http: URLs: HTTP and gRPC calls to one target have one virtual host.',
  }),
  match('domain-none', {
    rule: 'no virtual host is for the target',
    routeConfig: domains({ a: ['other.test:80'] }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
];

export const MATCHING: readonly GrpcCase[] = [...PATHS, ...HEADERS, ...OTHERS, ...DOMAINS];
