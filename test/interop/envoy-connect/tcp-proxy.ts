import { readFileSync } from 'node:fs';

/** Resources of Envoy as JSON. */
export type Json = Record<string, unknown>;

const address = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } });

export const staticCluster = (name: string, ports: readonly number[], more: Json = {}): Json => ({
  name,
  type: 'STATIC',
  connect_timeout: '1s',
  load_assignment: {
    cluster_name: name,
    endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) }],
  },
  ...more,
});

/** A TcpProxy that writes the flags of each connection to a file, one line each. */
export const tcpProxy = (cluster: string, log: string, more: Json = {}): Json => ({
  name: 'tcp',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
    stat_prefix: cluster,
    cluster,
    access_log: [
      {
        name: 'file',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
          path: log,
          log_format: { text_format_source: { inline_string: '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT%\n' } },
        },
      },
    ],
    ...more,
  },
});

export const listenerOn = (port: number, ...chains: readonly Json[]): Json => ({
  name: `on ${port}`,
  address: address(port),
  listener_filters: [
    {
      name: 'tls_inspector',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector' },
    },
  ],
  listener_filters_timeout: '0.1s',
  continue_on_listener_filters_timeout: true,
  filter_chains: chains,
});

export const bootstrap = (adminPort: number, listeners: readonly Json[], clusters: readonly Json[]): Json => ({
  admin: { address: address(adminPort) },
  static_resources: { listeners, clusters },
});

/** Envoy writes its access log every 10 s, and when it ends. */
export const linesOf = (log: string): string[] => readFileSync(log, 'utf8').trim().split('\n');
