import type { MessageTable } from './message-table.ts';

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const TCP = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
const NOT_HTTP = 'a gRPC client makes no other connections';
const DOES_NOT_LISTEN = 'a client does not listen';

export const listener: MessageTable = {
  'envoy.config.listener.v3.Listener': {
    grpc: 'name api_listener',
    partly: {
      listener_filters: {
        go: { ignored: DOES_NOT_LISTEN },
        core: { ignored: DOES_NOT_LISTEN },
        java: { ignored: DOES_NOT_LISTEN },
        node: { rejected: 'it is never sent to a gRPC client' },
      },
    },
    rest: DOES_NOT_LISTEN,
  },
  'envoy.config.listener.v3.FilterChain': { rest: NOT_HTTP },
  'envoy.config.listener.v3.FilterChainMatch': { rest: NOT_HTTP },
  'envoy.config.core.v3.CidrRange': { rest: NOT_HTTP },
  'envoy.config.listener.v3.Filter': { rest: NOT_HTTP },
  [TCP]: { rest: NOT_HTTP },
  [`${TCP}.WeightedCluster`]: { rest: NOT_HTTP },
  [`${TCP}.WeightedCluster.ClusterWeight`]: { rest: NOT_HTTP },
  'envoy.type.v3.HashPolicy': { rest: NOT_HTTP },
  'envoy.config.listener.v3.ApiListener': { grpc: 'api_listener' },
  [MANAGER]: {
    grpc: 'rds route_config http_filters common_http_protocol_options',
    rejected: {
      'routes come by rds or inline (A27)': 'scoped_routes',
      'nobody is believed who somebody else is (A41)': 'xff_num_trusted_hops original_ip_detection_extensions',
    },
    rest: 'it is about requests that come in, or about HTTP',
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': { grpc: 'config_source route_config_name' },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': {
    grpc: 'name typed_config is_optional',
    partly: {
      disabled: { node: { ignored: 'grpc-js-xds does not read it' }, go: { ignored: 'it is not read (A39)' } },
    },
    rejected: { 'a filter comes with its configuration (A39)': 'config_discovery' },
  },
  [`${MANAGER}.UpgradeConfig`]: { rest: 'gRPC upgrades nothing' },
};
