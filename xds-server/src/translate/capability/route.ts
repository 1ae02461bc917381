import type { MessageTable } from './message-table.ts';

const NO_MUTATION = 'headers are not changed on the way';
const NO_RETRY_WORDS = 'retries are those of gRFC A44';
const NO_HTTP = 'gRPC has no such thing';
const NO_MIRRORS = 'nothing is mirrored';
const NO_REWRITE = 'the path is the method: it is not rewritten';
const FAILS = 'a route to nobody: calls fail UNAVAILABLE';
const NO_STATS = 'statistics have names of their own';
const NO_SESSIONS = 'the filter is optional, and passed over (A39)';
/** gRFC A55. */
const SESSIONS = {
  go: { ignored: NO_SESSIONS },
  java: { ignored: NO_SESSIONS },
  node: { ignored: NO_SESSIONS },
} as const;

const AUTHORITY = {
  core: { ignored: 'only where an environment variable asks for it (A81)' },
  node: { ignored: 'not implemented (A81)' },
} as const;

export const route: MessageTable = {
  'envoy.config.route.v3.RouteConfiguration': {
    grpc: 'name virtual_hosts',
    partly: { cluster_specifier_plugins: { node: { ignored: 'not implemented (A40 RLS)' } } },
    rest: 'not read (A28)',
  },
  'envoy.config.route.v3.VirtualHost': {
    grpc: 'name domains routes retry_policy typed_per_filter_config',
    rest: 'not read (A28)',
  },
  'envoy.config.route.v3.Route': {
    grpc: 'name match route typed_per_filter_config',
    ignored: {
      [NO_MUTATION]:
        'request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove',
    },
    sentAs: { [FAILS]: 'redirect direct_response filter_action non_forwarding_action' },
    rest: 'not read (A28)',
  },
  'envoy.config.route.v3.FilterAction': { rest: NO_HTTP },
  'envoy.config.route.v3.ClusterSpecifierPlugin': { grpc: 'extension is_optional' },
  'envoy.config.route.v3.RouteMatch': {
    grpc: 'prefix path safe_regex case_sensitive runtime_fraction headers',
    sentAs: {
      'an exact path and a prefix': 'path_separated_prefix',
      'nothing: the route is left out, which no call could take': 'query_parameters',
    },
    rejected: { 'it is no path (A28)': 'connect_matcher path_match_policy' },
    rest: 'not read (A28): a route with it is not made here',
  },
  'envoy.config.route.v3.RouteMatch.TlsContextMatchOptions': { rest: NO_HTTP },
  'envoy.config.route.v3.CookieMatcher': { rest: NO_HTTP },
  'envoy.config.route.v3.VirtualCluster': { rest: NO_STATS },
  'envoy.config.route.v3.HeaderMatcher': {
    grpc: `name exact_match safe_regex_match range_match present_match prefix_match suffix_match string_match
      invert_match`,
    partly: { contains_match: { node: { rejected: 'it knows string_match.contains' } } },
    sentAs: { 'two routes: the header is absent, or there with another value': 'treat_missing_header_as_empty' },
  },
  'envoy.config.route.v3.QueryParameterMatcher': { rest: NO_HTTP },
  'envoy.config.route.v3.RouteAction': {
    grpc: 'cluster cluster_header weighted_clusters retry_policy hash_policy max_stream_duration',
    partly: {
      cluster_specifier_plugin: { node: { rejected: 'not implemented' } },
      auto_host_rewrite: AUTHORITY,
    },
    sentAs: { 'max_stream_duration beside it (A31)': 'timeout' },
    ignored: {
      [NO_REWRITE]: 'prefix_rewrite regex_rewrite path_rewrite_policy path_rewrite',
      [NO_MIRRORS]: 'request_mirror_policies',
      'the authority is that of the target (A81 has auto_host_rewrite alone)':
        'host_rewrite_literal host_rewrite_header host_rewrite_path_regex host_rewrite',
      'nothing is hedged': 'hedge_policy',
    },
    rest: 'not read (A28, A31)',
  },
  'envoy.config.route.v3.RouteAction.MaxStreamDuration': {
    grpc: 'grpc_timeout_header_max',
    partly: {
      max_stream_duration: { core: { sentAs: 'two seconds more: it counts from one to two seconds before the call' } },
    },
    rest: 'not read (A31)',
  },
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy': { rest: NO_MIRRORS },
  'envoy.config.route.v3.RouteAction.HashPolicy': {
    grpc: 'header filter_state terminal',
    rest: 'gRPC hashes a header or the channel (A42): the hash is a random one',
  },
  'envoy.config.route.v3.RouteAction.HashPolicy.Header': { grpc: 'header_name regex_rewrite' },
  'envoy.config.route.v3.RouteAction.HashPolicy.Cookie': { rest: NO_HTTP },
  'envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute': { rest: NO_HTTP },
  'envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties': { rest: NO_HTTP },
  'envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter': { rest: NO_HTTP },
  'envoy.config.route.v3.RouteAction.HashPolicy.FilterState': { grpc: 'key' },
  'envoy.config.route.v3.WeightedCluster': { grpc: 'clusters', rest: 'the sum of the weights counts' },
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': {
    grpc: 'name weight typed_per_filter_config',
    rest: NO_MUTATION,
  },
  'envoy.config.route.v3.RetryPolicy': {
    grpc: 'retry_back_off',
    partly: {
      num_retries: {
        core: { sentAs: 'itself; five attempts are the most it makes' },
        node: { sentAs: 'itself; five attempts are the most it makes' },
      },
    },
    sentAs: {
      'the five words of gRFC A44, without spaces': 'retry_on',
      'unavailable, for those that mean it': 'retriable_status_codes',
    },
    rest: NO_RETRY_WORDS,
  },
  'envoy.config.route.v3.RetryPolicy.RetryPriority': { rest: NO_RETRY_WORDS },
  'envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff': { rest: NO_RETRY_WORDS },
  'envoy.config.route.v3.RetryPolicy.ResetHeader': { rest: NO_RETRY_WORDS },
  'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig': { rest: NO_RETRY_WORDS },
  'envoy.config.route.v3.HedgePolicy': {
    rest: 'nothing is hedged',
    envoy: { 'not implemented': 'initial_requests additional_request_chance' },
  },
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate': { rest: NO_RETRY_WORDS },
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': { grpc: 'base_interval max_interval' },
  'envoy.config.route.v3.RedirectAction': { rest: 'gRPC follows no redirect' },
  'envoy.config.route.v3.DirectResponseAction': { rest: 'gRPC has no direct response' },
  'envoy.config.route.v3.FilterConfig': { grpc: 'config is_optional', rest: 'not read (A39)' },
  'envoy.extensions.filters.http.fault.v3.HTTPFault': {
    grpc: 'delay abort max_active_faults',
    rest: 'not read (A33)',
  },
  'envoy.extensions.filters.http.fault.v3.FaultAbort': { grpc: 'http_status grpc_status header_abort percentage' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay': { grpc: 'fixed_delay header_delay percentage' },
  'envoy.extensions.filters.http.stateful_session.v3.StatefulSession': {
    partly: { session_state: SESSIONS },
    rest: 'not read (A55)',
  },
  'envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute': {
    partly: { disabled: SESSIONS, stateful_session: SESSIONS },
  },
  'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState': { partly: { cookie: SESSIONS } },
  'envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState': {
    rest: 'a session is a cookie (A55): the filter is not sent',
  },
  'inmesh.v1.CallPolicy': {
    rest: 'a message of the SDK alone',
    envoy: { 'a message of the SDK alone': 'sources hedging fault_scope mirror_comparison retry_non_idempotent' },
  },
  'inmesh.v1.CallPolicy.Hedging': {
    rest: 'a message of the SDK alone',
    envoy: { 'a message of the SDK alone': 'fixed_delay p95_delay max_hedges' },
  },
  'inmesh.v1.CallPolicy.MirrorComparison': {
    rest: 'a message of the SDK alone',
    envoy: { 'a message of the SDK alone': 'status json latency' },
  },
  'envoy.type.http.v3.Cookie': { partly: { name: SESSIONS, ttl: SESSIONS, path: SESSIONS } },
};
