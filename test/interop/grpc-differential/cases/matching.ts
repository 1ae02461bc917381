import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { both, match, only, paths } from './match.ts';
import { HANG_MS, REST, to } from './pieces.ts';

const header = (name: string, fields: JsonObject): JsonObject => ({ prefix: '', headers: [{ name, ...fields }] });
const text = (fields: JsonObject): JsonObject => ({ string_match: fields });

const withHeader = (name: string, ...values: readonly string[]): Ask => ({
  metadata: values.map((value) => [name, value] as const),
});

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

export const MATCHING: readonly GrpcCase[] = [...PATHS, ...HEADERS];
