import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

const HEADERS = 'request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove';

const STATISTICS = 'statistics have names of their own';
const SERVER_SIDE = 'it protects a server, this is the client';
const NO_RUNTIME = 'there is no runtime layer';
const NO_SPECIFIERS = 'no route specifier extension is known';
const NOT_YET_ENFORCED = 'not yet enforced';

export const fields: FieldRows = {
  ...rowsOf('envoy.config.route.v3.RouteConfiguration', {
    supported: `name virtual_hosts ${HEADERS} most_specific_header_mutations_wins max_direct_response_body_size_bytes
      request_mirror_policies ignore_port_in_host_matching
      ignore_path_parameters_in_path_matching vhost_header typed_per_filter_config metadata`,
    ignored: {
      'each cluster is asked for by name': 'validate_clusters',
      [NO_SPECIFIERS]: 'route_specifiers',
      'routes come whole': 'vhds',
      'all traffic is internal': 'internal_only_headers',
      'a route that uses one is refused': 'cluster_specifier_plugins',
    },
  }),
  ...rowsOf('envoy.config.route.v3.VirtualHost', {
    supported: `name domains routes require_tls virtual_clusters ${HEADERS} typed_per_filter_config retry_policy
      request_mirror_policies include_request_attempt_count include_attempt_count_in_response metadata hedge_policy
      per_request_buffer_limit_bytes request_body_buffer_limit`,
    ignored: {
      [SERVER_SIDE]: 'cors',
      [NOT_YET_ENFORCED]: 'rate_limits',
      'retries say nothing of time-outs': 'include_is_timeout_retry_header',
      'no retry extension is known': 'retry_policy_typed_config',
      [NO_SPECIFIERS]: 'route_specifiers',
    },
    rejected: { 'routes are matched in order, not by a matching tree': 'matcher' },
  }),
  ...rowsOf('envoy.config.route.v3.Route', {
    supported: `name match route redirect direct_response filter_action non_forwarding_action metadata
      typed_per_filter_config per_request_buffer_limit_bytes request_body_buffer_limit ${HEADERS}`,
    ignored: {
      [STATISTICS]: 'stat_prefix',
      'spans are named by the SDK': 'decorator tracing',
      [NO_SPECIFIERS]: 'route_specifiers',
    },
  }),
  ...rowsOf('envoy.config.route.v3.FilterAction', { supported: 'action' }),
  ...rowsOf('envoy.config.route.v3.ClusterSpecifierPlugin', { supported: 'extension is_optional' }),
  ...rowsOf('envoy.config.route.v3.RouteMatch', {
    supported: `prefix path safe_regex connect_matcher path_separated_prefix path_match_policy case_sensitive
      runtime_fraction headers query_parameters grpc cookies dynamic_metadata tls_context`,
    ignored: { 'there is no filter state, so the route never matches': 'filter_state' },
  }),
  ...rowsOf('envoy.config.route.v3.RouteMatch.TlsContextMatchOptions', { supported: 'presented validated' }),
  ...rowsOf('envoy.config.route.v3.CookieMatcher', { supported: 'name string_match invert_match' }),
  ...rowsOf('envoy.config.route.v3.VirtualCluster', { supported: 'name headers' }),
  ...rowsOf('envoy.config.route.v3.HeaderMatcher', {
    supported: `name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match
      string_match invert_match treat_missing_header_as_empty`,
  }),
  ...rowsOf('envoy.config.route.v3.QueryParameterMatcher', { supported: 'name string_match present_match' }),
  ...rowsOf('envoy.config.route.v3.RouteAction', {
    supported: `cluster cluster_header weighted_clusters cluster_specifier_plugin inline_cluster_specifier_plugin
      prefix_rewrite regex_rewrite path_rewrite_policy path_rewrite host_rewrite_literal host_rewrite_header
      host_rewrite_path_regex host_rewrite auto_host_rewrite cluster_not_found_response_code append_x_forwarded_host timeout idle_timeout
      retry_policy request_mirror_policies priority hash_policy max_stream_duration hedge_policy`,
    ignored: {
      'it limits a header of gRPC that gRFC A31 does not read': 'max_grpc_timeout grpc_timeout_offset',
      'clusters are subsets already': 'metadata_match',
      [SERVER_SIDE]: 'cors',
      [NOT_YET_ENFORCED]: 'rate_limits include_vh_rate_limits',
      'the caller follows redirects': 'internal_redirect_policy internal_redirect_action max_internal_redirects',
      'upgrades are always allowed': 'upgrade_configs',
      'there is no early data': 'early_data_policy',
      'an idle stream has one time-out': 'flush_timeout',
      'no retry extension is known': 'retry_policy_typed_config',
    },
  }),
  ...rowsOf('envoy.config.route.v3.RouteAction.MaxStreamDuration', {
    supported: 'max_stream_duration grpc_timeout_header_max grpc_timeout_header_offset',
  }),
  ...rowsOf('envoy.config.route.v3.RouteAction.RequestMirrorPolicy', {
    supported: 'cluster cluster_header runtime_fraction disable_shadow_host_suffix_append host_rewrite_literal',
    ignored: {
      'mirrors are sampled like their call': 'trace_sampled',
    },
  }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy', {
    supported: 'header cookie connection_properties query_parameter filter_state terminal',
  }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.FilterState', { supported: 'key' }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.Header', { supported: 'header_name regex_rewrite' }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.Cookie', {
    supported: 'name ttl path attributes',
  }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute', { supported: 'name value' }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties', { supported: 'source_ip' }),
  ...rowsOf('envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter', { supported: 'name' }),
  ...rowsOf('envoy.config.route.v3.WeightedCluster', {
    supported: 'clusters header_name use_hash_policy runtime_key_prefix',
    ignored: {
      "the weights' sum counts": 'total_weight',
    },
  }),
  ...rowsOf('envoy.config.route.v3.WeightedCluster.ClusterWeight', {
    supported: `name cluster_header weight ${HEADERS} host_rewrite_literal typed_per_filter_config`,
    ignored: {
      'clusters are subsets already': 'metadata_match',
    },
  }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy', {
    supported: `retry_on num_retries per_try_timeout retry_host_predicate host_selection_retry_max_attempts
      retriable_status_codes retry_back_off per_try_idle_timeout retry_priority rate_limited_retry_back_off
      retriable_headers retriable_request_headers refresh_cluster_on_retry`,
    ignored: { 'no predicate of retry options is known': 'retry_options_predicates' },
  }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy.RetryPriority', { supported: 'name typed_config' }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff', { supported: 'reset_headers max_interval' }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy.ResetHeader', { supported: 'name format' }),
  ...rowsOf('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
    supported: 'update_frequency',
  }),
  ...rowsOf('envoy.config.route.v3.HedgePolicy', {
    supported: 'hedge_on_per_try_timeout',
    ignored: { 'Envoy does not do it either': 'initial_requests additional_request_chance' },
  }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy.RetryHostPredicate', { supported: 'name typed_config' }),
  ...rowsOf('envoy.config.route.v3.RetryPolicy.RetryBackOff', { supported: 'base_interval max_interval' }),
  ...rowsOf('envoy.config.route.v3.RedirectAction', {
    supported: `https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite regex_rewrite
      path_rewrite response_code strip_query`,
  }),
  ...rowsOf('envoy.config.route.v3.DirectResponseAction', {
    supported: 'status body body_format',
  }),
  ...rowsOf('envoy.config.route.v3.FilterConfig', { supported: 'config is_optional disabled' }),
  ...rowsOf('envoy.extensions.filters.http.fault.v3.HTTPFault', {
    supported: 'delay abort upstream_cluster headers downstream_nodes max_active_faults',
    ignored: {
      [NOT_YET_ENFORCED]: 'response_rate_limit',
      [NO_RUNTIME]: `delay_percent_runtime abort_percent_runtime delay_duration_runtime abort_http_status_runtime
        max_active_faults_runtime response_rate_limit_percent_runtime abort_grpc_status_runtime`,
      [STATISTICS]: 'disable_downstream_cluster_stats filter_metadata',
    },
  }),
  ...rowsOf('envoy.extensions.filters.http.fault.v3.FaultAbort', {
    supported: 'http_status grpc_status header_abort percentage',
  }),
  ...rowsOf('envoy.extensions.filters.common.fault.v3.FaultDelay', {
    supported: 'fixed_delay header_delay percentage',
  }),
  ...rowsOf('envoy.extensions.filters.http.stateful_session.v3.StatefulSession', { supported: 'session_state strict' }),
  ...rowsOf('envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute', {
    supported: 'disabled stateful_session',
  }),
  ...rowsOf('envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState', { supported: 'cookie' }),
  ...rowsOf('envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState', { supported: 'name' }),
  ...rowsOf('inmesh.v1.CallPolicy', {
    supported: 'sources hedging fault_scope mirror_comparison retry_non_idempotent',
  }),
  ...rowsOf('inmesh.v1.CallPolicy.Hedging', { supported: 'fixed_delay p95_delay max_hedges' }),
  ...rowsOf('inmesh.v1.CallPolicy.MirrorComparison', { supported: 'status json latency' }),
  ...rowsOf('envoy.type.http.v3.Cookie', { supported: 'name ttl path' }),
};
