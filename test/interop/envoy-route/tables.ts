import fc from 'fast-check';
import { matches } from './matches.ts';

/**
 * Route tables as an Envoy operator writes them (snake_case), valid by construction, out of few words so that rules and
 * requests meet. What the draw would decide is left out or decided by the request: chance cannot be compared.
 */

export type Json = Readonly<Record<string, unknown>>;

export const CLUSTERS = ['A', 'B', 'C'];
/** Named by routes, and not there. */
export const MISSING_CLUSTER = 'missing';
/** The runtime of the Envoy under test: percentages and weights. */
export const RUNTIME = { on: 100, off: 0, over: 250, half: 0.5, 'w.A': 0, 'w.B': 40.9 };

const maybe = <T extends object>(part: fc.Arbitrary<T>): fc.Arbitrary<T | object> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: part });

const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<Json> =>
  fc.tuple(...parts).map((list) => Object.assign({}, ...list) as Json);

export const regexRewrite = fc
  .constantFrom(
    ['^/([^/]+)/(.*)$', '/\\2/\\1'],
    ['a', 'x'],
    ['b*', '-'],
    ['(?i)/AB/', '/y/'],
    ['^/(a|b)?', '/z\\1'],
    ['(\\d+)', '<\\1>'],
    ['^(.*?)a(.*)$', '\\1X\\2'],
    ['(a)|(b)', '[\\1\\2]'],
    ['/+', '/'],
    ['x*', '\\\\'],
  )
  .map(([regex, substitution]) => ({ pattern: { regex }, substitution }));

const requestName = fc.constantFrom('x-a', 'x-b', 'X-C', 'accept', 'user-agent');
const requestValue = fc.constantFrom(
  ...['1', '', 'é', '100%%', 'p%REQ(x-b?x-a)%s', '%REQ(:path)%', '%REQ(X-C):1%', '%PROTOCOL%', '%ROUTE_NAME%'],
  ...['%REQ(:authority)%|%REQ(:method)%|%REQ(host)%', '%QUERY_PARAM(v)%', '%PATH(NQ)%|%PATH%', '%UPSTREAM_CLUSTER%'],
  ...['%DYNAMIC_METADATA(test:k)%', '%VIRTUAL_CLUSTER_NAME%', '%REQUEST_HEADER(x-a)%'],
  ...[
    '%QUERY_PARAMS%',
    '%START_TIME(%Y-%m-%d)%',
    '%RESPONSE_CODE%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%|%UPSTREAM_PROTOCOL%',
  ],
  ...['%DYNAMIC_METADATA(test)%', '%REQ(x-envoy-attempt-count)%'],
);
const responseName = fc.constantFrom('x-a', 'x-up', 'x-d');
const responseValue = fc.constantFrom(
  ...['1', '', '%REQ(x-a)%', '%RESP(x-up)%', '%RESP(x-a?x-up)%', '%ROUTE_NAME%', '%VIRTUAL_CLUSTER_NAME%'],
  ...['%UPSTREAM_CLUSTER%', '%START_TIME(%F)%', '%RESPONSE_CODE%|%UPSTREAM_PROTOCOL%', '%REQ(x-envoy-attempt-count)%'],
  ...['%UPSTREAM_REQUEST_ATTEMPT_COUNT%'],
);
const APPEND = ['APPEND_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', 'OVERWRITE_IF_EXISTS_OR_ADD', 'OVERWRITE_IF_EXISTS'];

const addition = (name: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
  fc
    .record({
      header: fc.oneof(
        { weight: 5, arbitrary: fc.record({ key: name, value }) },
        {
          weight: 1,
          arbitrary: fc.record({ key: name, raw_value: fc.constantFrom('cmF3', 'w6k=', 'JVJFUSh4LWEpJQ==') }),
        },
      ),
      how: fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(...APPEND).map((append_action) => ({ append_action })) },
        { weight: 1, arbitrary: fc.boolean().map((append) => ({ append })) },
      ),
      keep_empty_value: fc.boolean(),
    })
    .map(({ how, ...rest }) => ({ ...rest, ...how }));

const mutations = merged(
  maybe(fc.record({ request_headers_to_add: fc.array(addition(requestName, requestValue), { maxLength: 3 }) })),
  maybe(fc.record({ request_headers_to_remove: fc.array(requestName, { maxLength: 1 }) })),
  maybe(fc.record({ response_headers_to_add: fc.array(addition(responseName, responseValue), { maxLength: 3 }) })),
  maybe(fc.record({ response_headers_to_remove: fc.array(responseName, { maxLength: 1 }) })),
);

const cookie = merged(
  fc.record({ name: fc.constantFrom('u', 't') }),
  maybe(
    fc.record({
      ttl: fc.constantFrom('0s', '1.5s', '3600s'),
      path: fc.constantFrom('', '/a'),
      attributes: fc.subarray([{ name: 'SameSite', value: 'Lax' }, { name: 'Secure' }]),
    }),
  ),
);

const hashPolicy = merged(
  fc.oneof(
    fc.record({ header: fc.record({ header_name: fc.constantFrom('x-a', 'x-b', 'accept', ':path', ':method') }) }),
    fc.record({ header: fc.record({ header_name: fc.constantFrom('x-a', 'x-b'), regex_rewrite: regexRewrite }) }),
    fc.record({ query_parameter: fc.record({ name: fc.constantFrom('v', 'w') }) }),
    fc.record({ cookie }),
    fc.constant({ connection_properties: { source_ip: true } }),
  ),
  fc.record({ terminal: fc.boolean() }),
);

const clusterWeight = merged(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ name: fc.constantFrom(...CLUSTERS) }) },
    { weight: 1, arbitrary: fc.constant({ cluster_header: 'x-cluster' }) },
  ),
  fc.record({ weight: fc.integer({ min: 1, max: 97 }) }),
  mutations,
  maybe(fc.constant({ host_rewrite_literal: 'weighted.host' })),
);

/** Among several the request decides: by a header every request has, or by a policy every request has a hash for. */
const split = fc.oneof(
  fc.record({
    header_name: fc.constant('x-random'),
    clusters: fc.array(clusterWeight, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ use_hash_policy: fc.constant(true), clusters: fc.array(clusterWeight, { minLength: 2, maxLength: 4 }) }),
);
/** A split whose keys leave nothing to choose is an error inside Envoy: B is always among them. */
const runtimeSplit = fc.array(clusterWeight, { maxLength: 3 }).map((clusters) => ({
  header_name: 'x-random',
  runtime_key_prefix: 'w',
  clusters: [...clusters, { name: 'B', weight: 3 }],
}));
const ALWAYS_HASHED = { header: { header_name: ':path' } };

const destination = fc.oneof(
  { weight: 5, arbitrary: fc.record({ cluster: fc.constantFrom(...CLUSTERS) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      cluster: fc.constant(MISSING_CLUSTER),
      cluster_not_found_response_code: fc.constantFrom('SERVICE_UNAVAILABLE', 'NOT_FOUND', 'INTERNAL_SERVER_ERROR'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ cluster_header: fc.constantFrom('x-cluster', 'X-A') }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.oneof({ weight: 4, arbitrary: split }, { weight: 1, arbitrary: runtimeSplit }),
        fc.array(hashPolicy, { maxLength: 3 }),
      )
      .map(([weighted_clusters, policies]) => ({ weighted_clusters, hash_policy: [...policies, ALWAYS_HASHED] })),
  },
);

const pathRewrite = fc.oneof(
  fc.record({ prefix_rewrite: fc.constantFrom('/', '/z', '/z/') }),
  fc.record({ regex_rewrite: regexRewrite }),
  fc.record({ path_rewrite: fc.constantFrom('/n/%REQ(x-a)%', '/q%PATH(NQ)%', '%REQ(x-none)%') }),
);

const hostRewrite = merged(
  fc.oneof(
    fc.record({ host_rewrite_literal: fc.constantFrom('new.host', 'h:81') }),
    fc.record({ host_rewrite_header: fc.constantFrom('x-a', 'x-b') }),
    fc.record({ host_rewrite_path_regex: regexRewrite }),
    fc.record({ host_rewrite: fc.constantFrom('h.%REQ(x-a)%', '%REQ(:authority)%.x') }),
    fc.constant({ auto_host_rewrite: true }),
  ),
  fc.record({ append_x_forwarded_host: fc.boolean() }),
);

const forward = merged(destination, maybe(pathRewrite), maybe(hostRewrite)).map((route) => ({ route }));

const redirect = merged(
  maybe(
    fc.oneof(
      fc.constant({ https_redirect: true }),
      fc.record({ scheme_redirect: fc.constantFrom('https', 'http', 'ftp') }),
    ),
  ),
  maybe(fc.record({ host_redirect: fc.constantFrom('r.host', 'r.host:9') })),
  maybe(fc.record({ port_redirect: fc.constantFrom(80, 443, 8443) })),
  maybe(
    fc.oneof(
      fc.record({ path_redirect: fc.constantFrom('/new', 'new', '/new?x=1') }),
      fc.record({ prefix_rewrite: fc.constantFrom('/', '/z') }),
      fc.record({ regex_rewrite: regexRewrite }),
      fc.record({ path_rewrite: fc.constantFrom('/n/%REQ(x-a)%', '/n') }),
    ),
  ),
  fc.record({
    response_code: fc.constantFrom(
      ...['MOVED_PERMANENTLY', 'FOUND', 'SEE_OTHER', 'TEMPORARY_REDIRECT', 'PERMANENT_REDIRECT'],
    ),
    strip_query: fc.boolean(),
  }),
).map((value) => ({ redirect: value }));

const bodyFormat = merged(
  fc.oneof(
    fc
      .constantFrom('<%LOCAL_REPLY_BODY%|%REQ(x-a)%|%REQ(x-none)%|%RESPONSE_CODE%|%ROUTE_NAME%>', 'é%RESP(x-d)%%%', '')
      .map((inline_string) => ({ text_format_source: { inline_string } })),
    fc.constant({ text_format: 'old %LOCAL_REPLY_BODY%' }),
    fc.constant({
      json_format: {
        z: '%RESPONSE_CODE%',
        a: '%LOCAL_REPLY_BODY%',
        none: '%REQ(x-none)%',
        mixed: 'é%REQ(x-a)%%REQ(x-none)%',
        inner: { 'x"': '%REQ(x-none)%', fixed: [1.5, true, '%PROTOCOL%'] },
        only: { none: '%REQ(x-none)%' },
        attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
      },
    }),
  ),
  fc.record({ omit_empty_values: fc.boolean() }),
  maybe(fc.constant({ content_type: 'text/html' })),
);

const directResponse = fc
  .record({
    status: fc.constantFrom(200, 201, 302, 403, 503),
    body: fc.constantFrom('', 'body', 'é "q"').map((inline_string) => ({ inline_string })),
    format: maybe(fc.record({ body_format: bodyFormat })),
  })
  .map(({ format, ...response }) => ({ direct_response: { ...response, ...format } }));

const templates = fc.constantFrom(
  ['/{x}/{y=**}', '/t/{y}/{x}'],
  ['/{x}', '/{x}/{x}'],
  ['/{x=a/*}/{y}', '/{y}-{x}'],
  ['/a/{y=**}', '/{y}'],
  ['/{x=*}/b', '/new'],
  ['/{z=**}.b', '/z/{z}'],
);
const EXTENSION = 'type.googleapis.com/envoy.extensions.path';
const typed = (kind: string, config: string, fields: object) => ({
  name: kind,
  typed_config: { '@type': `${EXTENSION}.${kind}.uri_template.v3.UriTemplate${config}Config`, ...fields },
});

/** A template rewrite names variables of its own match, so both come together. */
const templated = fc.tuple(destination, templates).map(([route, [path_template, path_template_rewrite]]) => ({
  match: { path_match_policy: typed('match', 'Match', { path_template }) },
  route: { ...route, path_rewrite_policy: typed('rewrite', 'Rewrite', { path_template_rewrite }) },
}));

/** Envoy refuses a prefix rewrite beside a template match. */
function isAllowed({ match, ...action }: Json): boolean {
  const isTemplate = typeof match === 'object' && match !== null && 'path_match_policy' in match;
  return !isTemplate || !/"prefix_rewrite"/.test(JSON.stringify(action));
}

const plain = merged(
  matches.map((match) => ({ match })),
  fc.oneof(
    { weight: 5, arbitrary: forward },
    { weight: 2, arbitrary: redirect },
    { weight: 2, arbitrary: directResponse },
  ),
).filter(isAllowed);

const route = merged(
  fc.oneof({ weight: 12, arbitrary: plain }, { weight: 1, arbitrary: templated }),
  fc.record({ name: fc.constantFrom('r1', 'r2', 'r3', '') }),
  mutations,
);

/** For whatever no route before it took. */
const last = merged(
  fc.constant({ match: { prefix: '/' } }),
  fc.oneof(forward, forward, redirect, directResponse),
  mutations,
);

const virtualClusters = fc.array(
  fc.constantFrom(
    { name: 'get', headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
    { name: 'under-a', headers: [{ name: ':path', string_match: { prefix: '/a' } }] },
    {
      name: 'with-x-a',
      headers: [
        { name: 'x-a', present_match: true },
        { name: ':method', string_match: { exact: 'PUT' } },
      ],
    },
  ),
  { maxLength: 2 },
);

const DOMAINS = ['a.test', '*.test', 'a.*', 'b.test:8080', '*-b.test', 'B.test', 'a.test:*', '*.a.test', 'c.te*'];

/** Each domain once in a table; two in three have one for all the rest. */
const domainSets = fc
  .shuffledSubarray(DOMAINS, { minLength: 2, maxLength: 6 })
  .chain((domains) => fc.constantFrom([...domains, '*'], [...domains, '*'], domains))
  .map((domains) => [domains.slice(0, 1), domains.slice(1, 3), domains.slice(3)].filter((set) => set.length > 0));

const hostParts = merged(
  fc
    .tuple(fc.array(route, { minLength: 1, maxLength: 6 }), last, fc.boolean(), virtualClusters)
    .map(([routes, closing, isOpen, virtual_clusters]) => ({
      routes: isOpen ? [...routes, closing] : routes,
      virtual_clusters,
    })),
  mutations,
  maybe(fc.record({ include_request_attempt_count: fc.boolean(), include_attempt_count_in_response: fc.boolean() })),
  fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.record({ require_tls: fc.constantFrom('ALL', 'EXTERNAL_ONLY') }) },
  ),
);

export const routeTables: fc.Arbitrary<Json> = domainSets.chain((sets) =>
  merged(
    fc.tuple(...sets.map(() => hostParts)).map((hosts) => ({
      virtual_hosts: hosts.map((host, i) => ({ name: `host-${i}`, domains: sets[i], ...host })),
    })),
    mutations,
    fc.record({ most_specific_header_mutations_wins: fc.boolean(), ignore_port_in_host_matching: fc.boolean() }),
    maybe(fc.constant({ ignore_path_parameters_in_path_matching: true })),
    fc.oneof(
      { weight: 9, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.constant({ vhost_header: 'x-host' }) },
    ),
    fc.constant({ validate_clusters: false }),
  ),
);
