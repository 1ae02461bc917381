import type { MessageTable } from './message-table.ts';

const LB = 'envoy.extensions.load_balancing_policies';
const HEALTH = 'envoy.config.core.v3.HealthCheck';
const CHANNEL = 'connections are set up by the options of the channel';
const RESOLVER = 'names are looked up by the resolver of gRPC (A37)';
const LIMITS = 'only max_requests is counted (A32)';
const CONSECUTIVE = 'errors are not counted in a row, failed calls in percent (A50)';
const NO_CHECKS = 'health is what EDS says';
const NOT_LEAST = 'the next of the list, round robin';
const NO_SLOW_START = 'a new host gets its share at once';
const NO_HTTP_OPTIONS = 'gRPC is HTTP/2, set up by the options of the channel';

const ZONES = { rest: 'localities are computed by the control plane (A27)' } as const;
/** C-core and grpc-js have no least request; grpc-js registers the others by an environment variable. */
const LEAST_REQUEST = { core: { sentAs: NOT_LEAST }, node: { sentAs: NOT_LEAST } } as const;

export const cluster: MessageTable = {
  'envoy.config.cluster.v3.Cluster': {
    grpc: `name type cluster_type eds_cluster_config lb_policy ring_hash_lb_config load_assignment circuit_breakers
      outlier_detection transport_socket load_balancing_policy lrs_server`,
    partly: {
      metadata: {
        node: { ignored: 'not read' },
        core: { ignored: 'only labels of telemetry are read (A89)' },
        go: { ignored: 'only labels of telemetry are read (A89)' },
      },
      upstream_config: { node: { ignored: 'not implemented (A86)' } },
    },
    sentAs: {
      'a typed policy in a list that ends in round robin': 'least_request_lb_config',
      'one of them, where all endpoints take the same': 'transport_socket_matches',
      'a ring': 'maglev_lb_config',
    },
    ignored: {
      [CHANNEL]: 'connect_timeout upstream_connection_options typed_extension_protocol_options',
      [NO_CHECKS]: 'health_checks',
      [NO_SLOW_START]: 'round_robin_lb_config',
    },
    rest: 'not read (A27)',
  },
  'envoy.config.cluster.v3.Cluster.CustomClusterType': { grpc: 'typed_config', rest: 'the type decides (A37)' },
  'envoy.extensions.clusters.aggregate.v3.ClusterConfig': { grpc: 'clusters' },
  'envoy.config.cluster.v3.Cluster.RefreshRate': { rest: RESOLVER },
  'envoy.config.cluster.v3.UpstreamConnectionOptions': { rest: CHANNEL },
  'envoy.config.core.v3.TcpKeepalive': { rest: CHANNEL },
  'envoy.config.cluster.v3.Cluster.EdsClusterConfig': { grpc: 'eds_config service_name' },
  'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig': { rest: NO_SLOW_START },
  'envoy.config.cluster.v3.Cluster.SlowStartConfig': { rest: NO_SLOW_START },
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': {
    partly: { choice_count: LEAST_REQUEST },
    rest: 'not read (A48)',
  },
  'envoy.config.cluster.v3.Cluster.RingHashLbConfig': {
    grpc: 'minimum_ring_size maximum_ring_size hash_function',
  },
  'envoy.config.cluster.v3.Cluster.MaglevLbConfig': { rest: 'a ring takes its place (A42)' },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': {
    partly: {
      override_host_status: {
        go: { ignored: 'not implemented (A55)' },
        java: { ignored: 'not implemented (A55)' },
        node: { ignored: 'not implemented (A55)' },
      },
    },
    sentAs: { 'itself; gRPC always goes by the weights of localities (A27)': 'locality_weighted_lb_config' },
    ignored: { 'hosts that are known to be bad are not called': 'healthy_panic_threshold' },
    rest: 'not read (A27)',
  },
  'envoy.config.core.v3.HealthStatusSet': { rest: 'not implemented (A55)' },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig': { rest: 'not read (A42)' },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig': ZONES,
  'envoy.config.cluster.v3.CircuitBreakers': { grpc: 'thresholds', rest: LIMITS },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': { grpc: 'priority max_requests', rest: LIMITS },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': { rest: 'retries have no budget (A44)' },
  'envoy.config.cluster.v3.OutlierDetection': {
    grpc: `interval base_ejection_time max_ejection_time max_ejection_percent success_rate_stdev_factor
      success_rate_minimum_hosts success_rate_request_volume enforcing_success_rate failure_percentage_threshold
      failure_percentage_minimum_hosts failure_percentage_request_volume enforcing_failure_percentage`,
    sentAs: {
      'itself and the fields of failure_percentage': `consecutive_5xx consecutive_gateway_failure`,
    },
    rest: CONSECUTIVE,
  },
  'envoy.config.cluster.v3.LoadBalancingPolicy': { grpc: 'policies' },
  'envoy.config.cluster.v3.LoadBalancingPolicy.Policy': { grpc: 'typed_extension_config' },
  [`${LB}.ring_hash.v3.RingHash`]: {
    partly: {
      hash_function: { node: { sentAs: 'lb_policy RING_HASH' } },
      minimum_ring_size: { node: { sentAs: 'lb_policy RING_HASH: it refuses the typed one' } },
      maximum_ring_size: { node: { sentAs: 'lb_policy RING_HASH: it refuses the typed one' } },
    },
    rest: 'not read (A42)',
  },
  [`${LB}.maglev.v3.Maglev`]: { rest: 'a ring takes its place (A42)' },
  [`${LB}.least_request.v3.LeastRequest`]: {
    partly: { choice_count: LEAST_REQUEST },
    rest: 'not read (A48)',
    envoy: { 'Envoy does not read it': 'enable_full_scan' },
  },
  [`${LB}.round_robin.v3.RoundRobin`]: { rest: 'not read (A52)' },
  [`${LB}.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin`]: {
    partly: Object.fromEntries(
      [
        'enable_oob_load_report',
        'oob_reporting_period',
        'blackout_period',
        'weight_expiration_period',
        'weight_update_period',
        'error_utilization_penalty',
        'metric_names_for_computing_utilization',
      ].map((field) => [field, { node: { sentAs: `${NOT_LEAST}, but for an environment variable (A58)` } }]),
    ),
    rest: NO_SLOW_START,
  },
  [`${LB}.pick_first.v3.PickFirst`]: {
    partly: { shuffle_address_list: { node: { ignored: 'but for an environment variable it is not there (A62)' } } },
    envoy: { 'Envoy has no such policy': 'shuffle_address_list' },
  },
  [`${LB}.random.v3.Random`]: { rest: 'round robin takes its place' },
  [`${LB}.wrr_locality.v3.WrrLocality`]: { grpc: 'endpoint_picking_policy' },
  [`${LB}.common.v3.LocalityLbConfig`]: { rest: 'not read (A52)' },
  [`${LB}.common.v3.LocalityLbConfig.ZoneAwareLbConfig`]: ZONES,
  [`${LB}.common.v3.SlowStartConfig`]: { rest: NO_SLOW_START },
  [`${LB}.common.v3.ConsistentHashingLbConfig`]: { rest: 'not read (A42)' },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': { rest: NO_HTTP_OPTIONS },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': { rest: NO_HTTP_OPTIONS },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig': { rest: NO_HTTP_OPTIONS },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig': { rest: NO_HTTP_OPTIONS },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': { rest: NO_HTTP_OPTIONS },
  [HEALTH]: { rest: NO_CHECKS },
  [`${HEALTH}.Payload`]: { rest: NO_CHECKS },
  [`${HEALTH}.HttpHealthCheck`]: { rest: NO_CHECKS },
  [`${HEALTH}.TcpHealthCheck`]: { rest: NO_CHECKS },
  [`${HEALTH}.GrpcHealthCheck`]: { rest: NO_CHECKS },
};
