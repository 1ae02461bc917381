import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase } from '../case.ts';
import { both, match, only, paths } from './match.ts';
import { ENVOY_ACTIONS, HANG_MS, REST, to } from './pieces.ts';

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

/** Matching by other things, actions, and virtual hosts. */
export const ROUTES: readonly GrpcCase[] = [...OTHERS, ...DOMAINS];
