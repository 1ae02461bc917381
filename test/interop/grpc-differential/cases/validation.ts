import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase, Served } from '../case.ts';
import { filter, ROUTER } from '../resources.ts';
import { changed, HANG_MS, policies, REST, to, toA } from './pieces.ts';

/** One call: whether it is served, fails at once or hangs, and which types were refused. */
const check = (name: string, rule: string, served: Served, more: Partial<GrpcCase> = {}): GrpcCase => ({
  name: `check-${name}`,
  area: 'validation',
  rule,
  steps: [{ timeoutMs: HANG_MS }],
  ...served,
  ...more,
});

const FAULT_NAME = 'envoy.filters.http.fault';
const lua = (more: JsonObject = {}): JsonObject => filter('lua', 'lua.v3.Lua', {}, more);
const cluster = (fields: JsonObject): Served => ({ clusters: { a: { hosts: ['a'], fields } } });
const regex = (text: string): JsonObject => ({ safe_regex: { regex: text } });
const struct = (type: string): JsonObject => ({
  name: 'custom',
  typed_config: {
    '@type': 'type.googleapis.com/xds.type.v3.TypedStruct',
    type_url: `type.googleapis.com/${type}`,
    value: {},
  },
});

const LISTENERS: readonly GrpcCase[] = [
  check('filters-none', 'no HTTP filter at all is refused', { allFilters: [] }),
  check('router-missing', 'filters without a router are refused', {
    allFilters: [filter(FAULT_NAME, 'fault.v3.HTTPFault')],
  }),
  check('router-first', 'a router that is not the last is refused', {
    allFilters: [ROUTER, filter(FAULT_NAME, 'fault.v3.HTTPFault')],
  }),
  check('router-twice', 'two routers are refused', { allFilters: [ROUTER, { ...ROUTER, name: 'router2' }] }),
  check('filter-unknown', 'a filter that is not known and required is refused', { filters: [lua()] }),
  check('filter-optional', 'a filter that is not known and optional is left out', {
    filters: [lua({ is_optional: true })],
  }),
  check('filter-struct', 'a TypedStruct of an unknown type is refused', { filters: [struct('example.Unknown')] }),
  check('filter-struct-optional', 'and left out where it is optional', {
    filters: [{ ...struct('example.Unknown'), is_optional: true }],
  }),
  check('filter-twice', 'two filters of one name are refused', {
    filters: [filter('same', 'fault.v3.HTTPFault'), filter('same', 'fault.v3.HTTPFault')],
  }),
  check('filter-no-config', 'a filter without configuration is refused', { filters: [{ name: 'bare' }] }),
  check('filter-rbac', 'a required RBAC filter on the client side', {
    filters: [filter('rbac', 'rbac.v3.RBAC', { rules: {} })],
  }),
  check('xff', '`xff_num_trusted_hops` is refused', { manager: { xff_num_trusted_hops: 1 } }),
  check('original-ip', '`original_ip_detection_extensions` are refused', {
    manager: { original_ip_detection_extensions: [struct('example.Ip')] },
  }),
  check('rds-source', 'a route source that is neither ADS nor self is refused', {
    manager: { rds: { route_config_name: 'route', config_source: { path_config_source: { path: '/tmp/routes' } } } },
  }),
  check('rds-self', 'the route source `self` is taken', {
    alter: changed(
      'Listener',
      (listener) => JSON.parse(JSON.stringify(listener).replace('"ads":{}', '"self":{}')) as JsonObject,
    ),
  }),
  check('rds-no-name', 'RDS without a name is refused', { manager: { rds: { config_source: { ads: {} } } } }),
  check('routes-inline', 'an inline RouteConfiguration', {
    alter: changed('Listener', (listener) => {
      const text = JSON.stringify(listener);
      const inline = { name: 'inline', virtual_hosts: [{ name: 'all', domains: ['*'], routes: [to('b')] }] };
      return JSON.parse(
        text.replace(/"rds":\{.*?\}\}|"rds":\{[^}]*\{[^}]*\}[^}]*\}\}/, `"route_config":${JSON.stringify(inline)}`),
      ) as JsonObject;
    }),
  }),
  check('no-api-listener', 'a Listener without `api_listener` is refused', {
    alter: changed('Listener', ({ '@type': type, name = '' }) => ({
      '@type': type ?? '',
      name,
      address: { socket_address: { address: '127.0.0.1', port_value: 9 } },
    })),
  }),
  check('api-listener-type', 'an `api_listener` that is no HttpConnectionManager is refused', {
    listener: { api_listener: { api_listener: filter('x', 'router.v3.Router').typed_config ?? {} } },
  }),
  check(
    'bytes',
    'bytes that are no message are refused',
    {
      alter: changed('Listener', (listener) => ({
        ...listener,
        $unknown: Buffer.from([0x0a, 0x7f, 0x41]).toString('base64'),
      })),
    },
    {},
  ),
  check('unknown-fields', 'fields that are not known are passed over', {
    alter: changed('Listener', (listener) => ({
      ...listener,
      $unknown: Buffer.from([0xca, 0xb8, 0x02, 0x01, 0x41]).toString('base64'),
    })),
  }),
];

const ROUTES: readonly GrpcCase[] = [
  check(
    'regex',
    'a regex of a path that is none is refused',
    { routes: [to('a', regex('(')), REST] },
    { killsNode: true },
  ),
  check(
    'regex-header',
    'a regex of a header that is none is refused',
    {
      routes: [to('a', { prefix: '', headers: [{ name: 'x', string_match: regex('a[') }] }), REST],
    },
    { killsNode: true },
  ),
  check(
    'regex-look',
    'a regex with a look-ahead, which RE2 has not, is refused',
    { routes: [to('a', regex('/test(?=.Echo).*')), REST] },
    { killsNode: true },
  ),
  check(
    'regex-back',
    'a regex with a back reference, which RE2 has not, is refused',
    { routes: [to('a', regex('/(t)es\\1.*')), REST] },
    { killsNode: true },
  ),
  check(
    'regex-class',
    'a regex in words that RE2 has and JavaScript has not',
    {
      routes: [to('a', regex('(?i)/TEST\\.echo/[[:alpha:]]+\\z')), REST],
    },
    { killsNode: true },
  ),
  check('path-none', 'a match without a path is refused', { routes: [to('a', {}), REST] }),
  check('match-none', 'a route without a match is refused', { routes: [{ route: { cluster: 'a' } }] }),
  check('action-none', 'a route without an action', { routes: [{ match: { prefix: '' } }] }),
  check('cluster-none', 'a route whose cluster has no name', { routes: [to('')] }),
  check('domains-none', 'a virtual host without domains', { virtualHost: { domains: [] } }),
  check('domain-odd', 'a domain with a star in the middle', { virtualHost: { domains: ['svc.*.test:80', '*'] } }),
  check('domain-twice', 'a domain in two virtual hosts', {
    routeConfig: {
      virtual_hosts: [
        { name: 'one', domains: ['*'], routes: [to('a')] },
        { name: 'two', domains: ['*'], routes: [to('b')] },
      ],
    },
  }),
  check('hosts-none', 'no virtual host at all', { routeConfig: { virtual_hosts: [] } }),
  check('routes-none', 'a virtual host without routes', { routes: [] }),
  check('plugin', 'a `cluster_specifier_plugin` that is not known is refused', {
    routeConfig: { cluster_specifier_plugins: [{ extension: struct('example.Plugin') }] },
  }),
  check('plugin-optional', 'and its routes are left out where it is optional', {
    routeConfig: {
      cluster_specifier_plugins: [{ extension: { ...struct('example.Plugin'), name: 'p' }, is_optional: true }],
    },
    routes: [{ match: { prefix: '/test.Echo/' }, route: { cluster_specifier_plugin: 'p' } }, REST],
  }),
  check('duration', 'a negative `max_stream_duration`', {
    routes: toA({ max_stream_duration: { max_stream_duration: '-1s' } }),
  }),
  check('per-filter', 'a per-filter configuration of a required unknown filter', {
    virtualHost: { typed_per_filter_config: { lua: lua().typed_config ?? {} } },
  }),
];

const CLUSTERS: readonly GrpcCase[] = [
  check(
    'strict-dns',
    'STRICT_DNS is refused',
    cluster({ type: 'STRICT_DNS', load_assignment: { cluster_name: 'a' } }),
    {},
  ),
  check('static', 'STATIC is refused', cluster({ type: 'STATIC', load_assignment: { cluster_name: 'a' } })),
  check('original-dst', 'ORIGINAL_DST is refused', cluster({ type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' })),
  check(
    'eds-source',
    'an EDS source that is neither ADS nor self is refused',
    cluster({ eds_cluster_config: { eds_config: { path_config_source: { path: '/tmp/x' } } } }),
  ),
  check('eds-none', 'EDS without `eds_cluster_config` is refused', {
    alter: changed('Cluster', ({ eds_cluster_config, ...rest }) =>
      rest.name === 'a' ? rest : { ...rest, eds_cluster_config: eds_cluster_config ?? {} },
    ),
  }),
  check('eds-service-name', '`service_name` names the EDS resource', {
    ...cluster({ eds_cluster_config: { service_name: 'elsewhere', eds_config: { ads: {} } } }),
    alter: changed('ClusterLoadAssignment', (assignment) =>
      assignment.cluster_name === 'a' ? { ...assignment, cluster_name: 'elsewhere' } : assignment,
    ),
  }),
  check('lrs', 'an `lrs_server` that is not self is refused', cluster({ lrs_server: { ads: {} } })),
  check(
    'one-bad',
    'a bad cluster does not spoil the good ones of the same response',
    {
      clusters: { a: { hosts: ['a'], fields: { type: 'STATIC', load_assignment: { cluster_name: 'a' } } } },
      routes: [to('a', { prefix: '/test.Bad/' }), REST],
    },
    { steps: [{ path: '/test.Bad/x', timeoutMs: HANG_MS }, {}] },
  ),
  check('cluster-bytes', 'a cluster of bytes that are no message is refused', {
    alter: changed('Cluster', (one) =>
      one.name === 'a' ? { ...one, $unknown: Buffer.from([0x0a, 0x7f]).toString('base64') } : one,
    ),
  }),
  check('endpoint-bytes', 'endpoints of bytes that are no message are refused', {
    alter: changed('ClusterLoadAssignment', (one) =>
      one.cluster_name === 'a' ? { ...one, $unknown: Buffer.from([0x0a, 0x7f]).toString('base64') } : one,
    ),
  }),
  check('route-bytes', 'routes of bytes that are no message are refused', {
    alter: changed('RouteConfiguration', (one) => ({ ...one, $unknown: Buffer.from([0x0a, 0x7f]).toString('base64') })),
  }),
  check('endpoint-address', 'an endpoint whose address is a name', {
    alter: changed(
      'ClusterLoadAssignment',
      (one) => JSON.parse(JSON.stringify(one).replaceAll('127.0.0.1', 'localhost')) as JsonObject,
    ),
  }),
  check('endpoint-pipe', 'an endpoint without a socket address', {
    clusters: {
      a: {
        assignment: {
          endpoints: [{ locality: { region: 'r' }, load_balancing_weight: 1, lb_endpoints: [{ endpoint: {} }] }],
        },
      },
    },
  }),
  check('endpoint-weight', 'an endpoint of weight 0', { clusters: { a: { hosts: [{ host: 'a', weight: 0 }] } } }),
  check('locality-none', 'a locality group without a `locality`', {
    alter: changed(
      'ClusterLoadAssignment',
      (one) => JSON.parse(JSON.stringify(one).replaceAll('"locality":{"region":"r0"},', '')) as JsonObject,
    ),
  }),
  check(
    'subset',
    'a subset configuration is passed over',
    cluster({ lb_subset_config: { fallback_policy: 'ANY_ENDPOINT', subset_selectors: [{ keys: ['version'] }] } }),
  ),
  check(
    'slow-start',
    '`slow_start_config` is passed over',
    cluster({ round_robin_lb_config: { slow_start_config: { slow_start_window: '1s' } } }),
  ),
  check('policy-depth', 'policies nested too deep are refused', cluster(nested(20))),
];

/** WrrLocality in WrrLocality. */
function nested(depth: number): JsonObject {
  let inner = policies(['round_robin.v3.RoundRobin']);
  for (let left = depth; left > 0; left--)
    inner = policies(['wrr_locality.v3.WrrLocality', { endpoint_picking_policy: inner.load_balancing_policy ?? {} }]);
  return inner;
}

export const VALIDATION: readonly GrpcCase[] = [...LISTENERS, ...ROUTES, ...CLUSTERS];
