import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

const STATISTICS = 'statistics have names of their own';
const RESOLVER = 'names are resolved by the platform';
const BUFFERS = "Node's sockets have their own buffers and options";

const LB = 'envoy.extensions.load_balancing_policies';
/** Zones themselves count only beside a cluster of one's own (cluster_manager.local_cluster_name), as in Envoy. */
const ZONE_AWARE = {
  supported: 'fail_traffic_on_panic',
  ignored: { 'the control plane computes localities': 'routing_enabled min_cluster_size' },
};
const SLOW_START = { supported: 'slow_start_window aggression min_weight_percent' };

export const fields: FieldRows = {
  ...rowsOf('envoy.config.cluster.v3.Cluster', {
    supported: `name type cluster_type eds_cluster_config connect_timeout lb_policy load_assignment
      max_requests_per_connection circuit_breakers common_http_protocol_options http_protocol_options
      http2_protocol_options typed_extension_protocol_options outlier_detection ring_hash_lb_config maglev_lb_config
      least_request_lb_config round_robin_lb_config common_lb_config transport_socket transport_socket_matches metadata load_balancing_policy
      upstream_http_protocol_options dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_lookup_family
      dns_jitter health_checks upstream_connection_options lrs_server`,
    ignored: {
      [STATISTICS]: 'alt_stat_name track_timeout_budgets track_cluster_stats',
      [BUFFERS]: 'per_connection_buffer_limit_bytes upstream_bind_config',
      [RESOLVER]: 'dns_resolvers use_tcp_for_dns_lookups dns_resolution_config typed_dns_resolver_config',
      'all named metrics are reported (A64)': 'lrs_report_endpoint_metrics',
      'a subset is a cluster of its own': 'lb_subset_config',
      'the host the caller dialled is taken': 'original_dst_lb_config',
      'a cluster waits for its first health checks; a host that is removed is gone': `wait_for_warm_on_init
        ignore_health_on_host_removal`,
      'idle connections age out': 'cleanup_interval close_connections_on_host_health_failure preconnect_policy',
      'there is no downstream connection': 'connection_pool_per_downstream_connection protocol_selection',
    },
    rejected: {
      'no network filter is known': 'filters',
      'no upstream extension is known': 'upstream_config',
    },
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.CustomClusterType', { supported: 'name typed_config' }),
  ...rowsOf('envoy.extensions.clusters.aggregate.v3.ClusterConfig', { supported: 'clusters' }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.RefreshRate', { supported: 'base_interval max_interval' }),
  ...rowsOf('envoy.config.cluster.v3.UpstreamConnectionOptions', {
    supported: 'tcp_keepalive',
    ignored: {
      [BUFFERS]: 'set_local_interface_name_on_upstream_connections',
      'both families are tried side by side': 'happy_eyeballs_config',
    },
  }),
  ...rowsOf('envoy.config.core.v3.TcpKeepalive', {
    supported: 'keepalive_time',
    ignored: {
      'the number of probes and their distance are the operating system’s': 'keepalive_probes keepalive_interval',
    },
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.EdsClusterConfig', { supported: 'eds_config service_name' }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.RoundRobinLbConfig', { supported: 'slow_start_config' }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.SlowStartConfig', SLOW_START),
  ...rowsOf('envoy.config.cluster.v3.Cluster.LeastRequestLbConfig', {
    supported: 'choice_count active_request_bias slow_start_config',
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.RingHashLbConfig', {
    supported: 'minimum_ring_size hash_function maximum_ring_size',
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.MaglevLbConfig', { supported: 'table_size' }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.CommonLbConfig', {
    supported: `healthy_panic_threshold locality_weighted_lb_config consistent_hashing_lb_config
      zone_aware_lb_config override_host_status`,
    ignored: {
      'updates are taken as they come': 'update_merge_window ignore_new_hosts_until_first_hc',
      'connections to hosts that stay are kept': 'close_connections_on_host_set_change',
    },
  }),
  ...rowsOf('envoy.config.core.v3.HealthStatusSet', { supported: 'statuses' }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig', {
    supported: 'use_hostname_for_hashing hash_balance_factor',
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig', ZONE_AWARE),
  ...rowsOf('envoy.config.cluster.v3.CircuitBreakers', {
    supported: 'thresholds per_host_thresholds',
  }),
  ...rowsOf('envoy.config.cluster.v3.CircuitBreakers.Thresholds', {
    supported: 'priority max_connections max_pending_requests max_requests max_retries retry_budget',
    ignored: { 'there is one pool a host': 'max_connection_pools', [STATISTICS]: 'track_remaining' },
  }),
  ...rowsOf('envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget', {
    supported: 'budget_percent min_retry_concurrency',
  }),
  ...rowsOf('envoy.config.cluster.v3.OutlierDetection', {
    supported: `consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx
      consecutive_gateway_failure enforcing_consecutive_gateway_failure split_external_local_origin_errors
      consecutive_local_origin_failure max_ejection_time enforcing_success_rate success_rate_minimum_hosts
      success_rate_request_volume success_rate_stdev_factor enforcing_consecutive_local_origin_failure
      enforcing_local_origin_success_rate failure_percentage_threshold enforcing_failure_percentage
      enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts failure_percentage_request_volume
      max_ejection_time_jitter always_eject_one_host successful_active_health_check_uneject_host`,
    ignored: {
      'no monitor is known': 'monitors',
    },
  }),
  ...rowsOf('envoy.config.cluster.v3.LoadBalancingPolicy', { supported: 'policies' }),
  ...rowsOf('envoy.config.cluster.v3.LoadBalancingPolicy.Policy', { supported: 'typed_extension_config' }),
  ...rowsOf(`${LB}.ring_hash.v3.RingHash`, {
    supported: `hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing hash_balance_factor
      consistent_hashing_lb_config locality_weighted_lb_config`,
  }),
  ...rowsOf(`${LB}.maglev.v3.Maglev`, {
    supported: 'table_size consistent_hashing_lb_config locality_weighted_lb_config',
  }),
  ...rowsOf(`${LB}.least_request.v3.LeastRequest`, {
    supported: 'choice_count active_request_bias slow_start_config locality_lb_config selection_method',
    ignored: { 'Envoy does not read it either': 'enable_full_scan' },
  }),
  ...rowsOf(`${LB}.round_robin.v3.RoundRobin`, { supported: 'slow_start_config locality_lb_config' }),
  ...rowsOf(`${LB}.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin`, {
    supported: `enable_oob_load_report oob_reporting_period blackout_period weight_expiration_period weight_update_period
      error_utilization_penalty metric_names_for_computing_utilization slow_start_config`,
  }),
  ...rowsOf(`${LB}.pick_first.v3.PickFirst`, { supported: 'shuffle_address_list' }),
  ...rowsOf(`${LB}.random.v3.Random`, { supported: 'locality_lb_config' }),
  ...rowsOf(`${LB}.wrr_locality.v3.WrrLocality`, { supported: 'endpoint_picking_policy' }),
  ...rowsOf(`${LB}.common.v3.LocalityLbConfig`, {
    supported: 'locality_weighted_lb_config zone_aware_lb_config',
  }),
  ...rowsOf(`${LB}.common.v3.LocalityLbConfig.ZoneAwareLbConfig`, ZONE_AWARE),
  ...rowsOf(`${LB}.common.v3.SlowStartConfig`, SLOW_START),
  ...rowsOf(`${LB}.common.v3.ConsistentHashingLbConfig`, {
    supported: 'use_hostname_for_hashing hash_balance_factor',
  }),
  ...rowsOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
    supported: `common_http_protocol_options explicit_http_config use_downstream_protocol_config auto_config
      upstream_http_protocol_options`,
    ignored: {
      'headers are checked by the HTTP client': 'header_validation_config',
    },
    rejected: { 'no upstream filter is known': 'http_filters' },
  }),
  ...rowsOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig', {
    supported: 'http_protocol_options http2_protocol_options',
    rejected: { 'HTTP/1.1 and HTTP/2 are allowed': 'http3_protocol_options' },
  }),
  ...rowsOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig', {
    supported: 'http_protocol_options',
    ignored: {
      'calls of this client are HTTP/1.1 unless http2 is asked for': 'http2_protocol_options http3_protocol_options',
    },
  }),
  ...rowsOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig', {
    supported: 'http_protocol_options http2_protocol_options',
    ignored: { 'HTTP/2 or HTTP/1.1 is taken': 'http3_protocol_options alternate_protocols_cache_options' },
  }),
  ...rowsOf('envoy.config.core.v3.UpstreamHttpProtocolOptions', {
    // Of the request's host; verified by it where the cluster names nobody.
    supported: 'auto_sni auto_san_validation',
    rejected: { 'SNI is that of the request’s host': 'override_auto_sni_header' },
  }),
};
