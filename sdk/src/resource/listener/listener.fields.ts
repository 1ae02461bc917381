import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

const LISTENS = 'a client does not listen';
const SERVER_SIDE = 'it is about requests that come in, this client sends them';

export const fields: FieldRows = {
  ...rowsOf('envoy.config.listener.v3.Listener', {
    supported: 'name api_listener filter_chains default_filter_chain metadata',
    ignored: {
      [LISTENS]: `address additional_addresses use_original_dst
        per_connection_buffer_limit_bytes deprecated_v1 drain_type listener_filters listener_filters_timeout
        continue_on_listener_filters_timeout transparent freebind socket_options tcp_fast_open_queue_length
        traffic_direction udp_listener_config connection_balance_config reuse_port enable_reuse_port tcp_backlog_size
        max_connections_to_accept_per_socket_event bind_to_port internal_listener enable_mptcp ignore_global_conn_limit
        bypass_overload_manager`,
      'statistics have names of their own': 'stat_prefix',
      'access logs are written by the application': 'access_log',
    },
    rejected: { 'chains are chosen by filter_chain_match': 'filter_chain_matcher' },
  }),
  ...rowsOf('envoy.config.listener.v3.FilterChain', {
    supported: 'filter_chain_match filters metadata',
    ignored: {
      'chains are told apart by what they match': 'name',
      [LISTENS]: 'use_proxy_proto transport_socket_connect_timeout on_demand_configuration',
    },
    rejected: { 'TLS of a connection that is made here stays end to end': 'transport_socket' },
  }),
  ...rowsOf('envoy.config.listener.v3.FilterChainMatch', {
    supported: 'destination_port prefix_ranges server_names',
    ignored: {
      'a chain that asks for it is never chosen': `address_suffix suffix_len direct_source_prefix_ranges source_type
        source_prefix_ranges source_ports transport_protocol application_protocols`,
    },
  }),
  ...rowsOf('envoy.config.core.v3.CidrRange', { supported: 'address_prefix prefix_len' }),
  ...rowsOf('envoy.config.listener.v3.Filter', {
    supported: 'name typed_config',
    rejected: { 'a filter comes with its configuration': 'config_discovery' },
  }),
  ...rowsOf('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    supported: `cluster weighted_clusters idle_timeout max_connect_attempts hash_policy
      max_downstream_connection_duration`,
    ignored: {
      'statistics have names of their own': 'stat_prefix',
      'access logs are written by the application': `access_log access_log_flush_interval flush_access_log_on_connected
        access_log_options`,
      'both directions share idle_timeout': 'downstream_idle_timeout upstream_idle_timeout',
      'every named cluster is asked for': 'on_demand',
    },
    rejected: {
      'a cluster is a subset already': 'metadata_match',
      'connections are made directly': 'tunneling_config',
    },
  }),
  ...rowsOf('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster', { supported: 'clusters' }),
  ...rowsOf('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight', {
    supported: 'name weight',
    rejected: { 'a cluster is a subset already': 'metadata_match' },
  }),
  ...rowsOf('envoy.type.v3.HashPolicy', {
    supported: 'source_ip',
    ignored: { 'there is no filter state: chance decides': 'filter_state' },
  }),
  ...rowsOf('envoy.config.listener.v3.ApiListener', { supported: 'api_listener' }),
  ...rowsOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    supported: 'rds route_config http_filters common_http_protocol_options stream_idle_timeout',
    ignored: {
      'statistics have names of their own': 'stat_prefix proxy_status_config',
      'access logs are written by the application': `access_log access_log_flush_interval flush_access_log_on_new_request
        access_log_options`,
      'spans are made by the SDK': 'tracing',
      'paths are normalised as WHATWG URLs, before routing': `normalize_path merge_slashes
        path_with_escaped_slashes_action path_normalization_options`,
      'the host is compared without port and trailing dot where the routes ask for it': `strip_matching_host_port
        strip_any_host_port strip_trailing_host_dot`,
      'upgrades are always allowed': 'upgrade_configs',
      'local answers have bodies as Envoy writes them': 'local_reply_config',
      'a request id is taken along, not made': `generate_request_id preserve_external_request_id
        always_set_request_id_in_response request_id_extension`,
      [SERVER_SIDE]: `codec_type add_user_agent http_protocol_options http2_protocol_options http3_protocol_options
        server_name server_header_transformation scheme_header_transformation max_request_headers_kb request_timeout
        request_headers_timeout drain_timeout delayed_close_timeout use_remote_address early_header_mutation_extensions
        internal_address_config skip_xff_append via forward_client_cert_details set_current_client_cert_details
        proxy_100_continue represent_ipv4_remote_address_as_ipv4_mapped_ipv6 stream_error_on_invalid_http_message
        typed_header_validation_config append_x_forwarded_port append_local_overload add_proxy_protocol_connection_state`,
    },
    rejected: {
      'routes come by rds or inline': 'scoped_routes',
      // gRFC A41: a client that trusted these headers would see another peer than Envoy.
      'gRFC A41 allows no forwarded addresses': 'xff_num_trusted_hops original_ip_detection_extensions',
    },
  }),
  ...rowsOf('envoy.extensions.filters.network.http_connection_manager.v3.Rds', {
    supported: 'config_source route_config_name',
  }),
  ...rowsOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter', {
    supported: 'name typed_config is_optional disabled',
    ignored: { 'a filter comes with its configuration': 'config_discovery' },
  }),
  ...rowsOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig', {
    ignored: { 'upgrades are always allowed': 'upgrade_type filters enabled' },
  }),
};
