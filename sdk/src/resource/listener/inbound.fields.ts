import { rowsOf } from '../field-rows.ts';
import { FIELDS } from '../field-table.ts';
import type { FieldRows } from '../fields.ts';

const ITS_OWN = "it is the server's own, which listens already";
const STATISTICS = 'statistics have names of their own';
const LOGS = 'access logs are written by the application';

/** The same table as a server's listener is read by: other fields of a listener matter there. */
export const INBOUND_FIELDS: FieldRows = {
  ...FIELDS,
  ...rowsOf('envoy.config.listener.v3.Listener', {
    supported: 'name address filter_chains default_filter_chain metadata',
    ignored: {
      [ITS_OWN]: `per_connection_buffer_limit_bytes deprecated_v1 drain_type listener_filters_timeout
        continue_on_listener_filters_timeout freebind socket_options tcp_fast_open_queue_length
        traffic_direction connection_balance_config reuse_port enable_reuse_port tcp_backlog_size
        max_connections_to_accept_per_socket_event bind_to_port enable_mptcp ignore_global_conn_limit
        bypass_overload_manager`,
      'the first bytes are always looked at where it matters': 'listener_filters',
      [STATISTICS]: 'stat_prefix',
      [LOGS]: 'access_log',
    },
    rejected: {
      'a server has one address': 'additional_addresses',
      'connections come to the server itself': 'use_original_dst transparent internal_listener udp_listener_config',
      'chains are chosen by filter_chain_match': 'filter_chain_matcher',
      'it is for clients': 'api_listener',
    },
  }),
  ...rowsOf('envoy.config.listener.v3.FilterChain', {
    supported: 'filter_chain_match filters metadata name transport_socket',
    ignored: { [ITS_OWN]: 'transport_socket_connect_timeout on_demand_configuration' },
    rejected: { 'the PROXY protocol is not read': 'use_proxy_proto' },
  }),
  ...rowsOf('envoy.config.listener.v3.FilterChainMatch', {
    supported: 'transport_protocol application_protocols prefix_ranges source_type source_prefix_ranges source_ports',
    ignored: {
      'a chain that asks for it is never chosen': `destination_port server_names address_suffix suffix_len
        direct_source_prefix_ranges`,
    },
  }),
  ...rowsOf('envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit', {
    supported: 'max_connections',
    ignored: { [STATISTICS]: 'stat_prefix', 'connections over the limit are closed at once': 'delay' },
    rejected: { 'there is no runtime here to switch it off': 'runtime_enabled' },
  }),
  ...rowsOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    supported: `route_config rds http_filters common_http_protocol_options http2_protocol_options max_request_headers_kb
      forward_client_cert_details set_current_client_cert_details`,
    ignored: {
      [STATISTICS]: 'stat_prefix proxy_status_config',
      [LOGS]: 'access_log access_log_flush_interval flush_access_log_on_new_request access_log_options',
      'spans are made by the SDK': 'tracing',
      'the application sees paths and hosts as they came': `normalize_path merge_slashes path_with_escaped_slashes_action
        path_normalization_options strip_matching_host_port strip_any_host_port strip_trailing_host_dot`,
      "the HTTP server is Node's": `codec_type add_user_agent http_protocol_options http3_protocol_options server_name
        server_header_transformation scheme_header_transformation request_timeout request_headers_timeout drain_timeout
        delayed_close_timeout stream_idle_timeout proxy_100_continue stream_error_on_invalid_http_message
        typed_header_validation_config append_local_overload local_reply_config upgrade_configs`,
      'headers of the mesh are set by the SDK': `generate_request_id preserve_external_request_id
        always_set_request_id_in_response request_id_extension use_remote_address skip_xff_append via
        internal_address_config early_header_mutation_extensions represent_ipv4_remote_address_as_ipv4_mapped_ipv6
        append_x_forwarded_port add_proxy_protocol_connection_state`,
    },
    rejected: {
      'routes come by rds or inline': 'scoped_routes',
      'gRFC A41 allows no forwarded addresses': 'xff_num_trusted_hops original_ip_detection_extensions',
    },
  }),
  ...rowsOf(
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails',
    {
      supported: 'subject cert chain dns uri',
    },
  ),
  ...rowsOf('envoy.config.core.v3.Http2ProtocolOptions', {
    supported: 'max_concurrent_streams',
    ignored: {
      "the HTTP/2 server is Node's, with settings of its own": `hpack_table_size initial_stream_window_size
        initial_connection_window_size allow_connect allow_metadata max_outbound_frames max_outbound_control_frames
        max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream
        max_inbound_window_update_frames_per_data_frame_sent stream_error_on_invalid_http_messaging
        override_stream_error_on_invalid_http_message custom_settings_parameters connection_keepalive use_oghttp2_codec`,
    },
  }),
};
