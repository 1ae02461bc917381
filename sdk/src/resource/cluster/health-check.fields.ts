import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

const MESSAGE = 'envoy.config.core.v3.HealthCheck';

export const fields: FieldRows = {
  ...rowsOf(MESSAGE, {
    supported: `timeout interval initial_jitter interval_jitter interval_jitter_percent unhealthy_threshold
      healthy_threshold alt_port http_health_check tcp_health_check grpc_health_check
      no_traffic_interval no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval healthy_edge_interval`,
    ignored: {
      'each check has a connection of its own': 'reuse_connection',
      'health is told by events of the mesh': `event_log_path event_logger event_service
        always_log_health_check_failures always_log_health_check_success`,
      'the cluster says whether it speaks TLS': 'tls_options transport_socket_match_criteria',
    },
    rejected: { 'HTTP, TCP and gRPC are checked': 'custom_health_check' },
  }),
  ...rowsOf(`${MESSAGE}.Payload`, { supported: 'text binary' }),
  ...rowsOf(`${MESSAGE}.HttpHealthCheck`, {
    supported: `host path send receive response_buffer_size request_headers_to_add request_headers_to_remove
      expected_statuses retriable_statuses codec_client_type method`,
    ignored: { 'a host is known by its address': 'service_name_matcher' },
  }),
  ...rowsOf(`${MESSAGE}.TcpHealthCheck`, {
    supported: 'send receive',
    rejected: { 'the PROXY protocol is not spoken': 'proxy_protocol_config' },
  }),
  ...rowsOf(`${MESSAGE}.GrpcHealthCheck`, { supported: 'service_name authority initial_metadata' }),
};
