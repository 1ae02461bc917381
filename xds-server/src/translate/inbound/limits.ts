import type { JsonObject } from '@bufbuild/protobuf';
import type { FilterSchema, HttpConnectionManagerSchema } from '@inmesh/sdk/internal/gen/listener';
import { ConnectionLimitSchema } from '@inmesh/sdk/internal/gen/listener';
import type { ConnectionPool } from '../../schema/spec/destination-rule.ts';
import { duration } from '../duration.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';

type FilterInit = Fields<typeof FilterSchema>;
type ManagerInit = Fields<typeof HttpConnectionManagerSchema>;

/** Connections of the port; 0 is no limit, as for a destination. A gRPC server takes no filter beside its connection manager (gRFC A36). */
export const connectionLimit = (pool: ConnectionPool | undefined, { kind }: View): readonly FilterInit[] => {
  const most = pool?.tcp?.maxConnections;
  if (!most || kind === 'grpc') return [];
  const value = packAny(ConnectionLimitSchema, { statPrefix: 'inbound', maxConnections: BigInt(most) });
  return [{ name: 'envoy.filters.network.connection_limit', configType: { case: 'typedConfig', value } }];
};

/** How long connections and requests may last. */
export const httpLimits = (pool: ConnectionPool | undefined, { kind }: View): ManagerInit => {
  if (kind === 'grpc') return {};
  const idleTimeout = pool?.http?.idleTimeout ?? pool?.tcp?.idleTimeout;
  const longest = pool?.tcp?.maxConnectionDuration;
  const most = pool?.http?.maxRequestsPerConnection;
  const streams = pool?.http?.maxConcurrentStreams;
  const common = {
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
    ...(longest === undefined ? {} : { maxConnectionDuration: duration(longest) }),
    ...(most ? { maxRequestsPerConnection: most } : {}),
  };
  return {
    ...(Object.keys(common).length > 0 && { commonHttpProtocolOptions: common }),
    ...(streams ? { http2ProtocolOptions: { maxConcurrentStreams: streams } } : {}),
  };
};

/** Of Listener.metadata. Requests under way are counted where Envoy forwards them, so its listeners have no field for it. */
export const requestLimit = (
  pool: ConnectionPool | undefined,
  { kind }: View,
): Readonly<Record<string, JsonObject>> => {
  const most = pool?.http?.http2MaxRequests;
  return most && kind === 'sdk' ? { 'inmesh.inbound': { max_requests: most } } : {};
};
