import {
  type CircuitBreakers_ThresholdsSchema,
  type ClusterSchema,
  type HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import type { HttpProtocolOptionsSchema as CommonHttpProtocolOptionsSchema } from '@inmesh/sdk/internal/gen/core';
import { defaultOf } from '../../defaults.ts';
import type { PortProtocol } from '../../registry/read-model.ts';
import type { KeepAliveSettings } from '../../schema/spec/call-policy.ts';
import type { ConnectionPool, TrafficPolicy } from '../../schema/spec/destination-rule.ts';
import { duration } from '../duration.ts';
import type { MeshSettings } from '../mesh-settings.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';

type ClusterInit = Fields<typeof ClusterSchema>;
type ExplicitProtocol = NonNullable<Fields<typeof HttpProtocolOptions_ExplicitHttpConfigSchema>['protocolConfig']>;
type CommonHttpInit = Fields<typeof CommonHttpProtocolOptionsSchema>;

const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const HTTP2: ReadonlySet<PortProtocol | undefined> = new Set(['http2', 'grpc', 'grpc-web']);

/** Not written is no limit: Envoy's 1,024 would shed load nobody asked to shed. Istio cannot tell 0 from not written. */
const limit = (value: number | undefined): number => value || defaultOf('unlimited');

/** Istio applyConnectionPool: limits of the default priority. */
export const thresholds = (
  pool: ConnectionPool | undefined,
  retryBudget: TrafficPolicy['retryBudget'],
  client: View['kind'],
): Fields<typeof CircuitBreakers_ThresholdsSchema> => ({
  maxConnections: limit(pool?.tcp?.maxConnections),
  maxPendingRequests: limit(pool?.http?.http1MaxPendingRequests),
  maxRequests: limit(pool?.http?.http2MaxRequests),
  maxRetries: limit(pool?.http?.maxRetries),
  // For statistics that only Envoy keeps.
  ...(client === 'envoy' ? { trackRemaining: true } : {}),
  ...(retryBudget && {
    retryBudget: {
      budgetPercent: { value: retryBudget.percent ?? defaultOf('retryBudgetPercent') },
      minRetryConcurrency: retryBudget.minRetryConcurrency ?? defaultOf('retryBudgetConcurrency'),
    },
  }),
});

export const connectTimeout = (
  pool: ConnectionPool | undefined,
  mesh: MeshSettings,
): { seconds: bigint; nanos: number } => duration(pool?.tcp?.connectTimeout ?? mesh.connectTimeoutMs);

export const tcpKeepalive = (
  pool: ConnectionPool | undefined,
  mesh: MeshSettings,
): Pick<ClusterInit, 'upstreamConnectionOptions'> => {
  const keepalive = pool?.tcp?.tcpKeepalive ?? mesh.tcpKeepalive;
  if (keepalive === undefined) return {};
  const { probes, time, interval } = keepalive;
  return {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        ...(probes ? { keepaliveProbes: probes } : {}),
        ...(time === undefined ? {} : { keepaliveTime: Math.trunc(time / 1_000) }),
        ...(interval === undefined ? {} : { keepaliveInterval: Math.trunc(interval / 1_000) }),
      },
    },
  };
};

/** Requests travel by HTTP/2. */
export const isHttp2 = (pool: ConnectionPool | undefined, protocol: PortProtocol | undefined): boolean =>
  HTTP2.has(protocol) || pool?.http?.h2UpgradePolicy === 'UPGRADE';

/** How requests travel to the cluster; nothing is sent for plain HTTP/1.1 without limits of its own. */
export const httpOptions = (
  pool: ConnectionPool | undefined,
  protocol: PortProtocol | undefined,
  keepAlive?: KeepAliveSettings,
): Pick<ClusterInit, 'typedExtensionProtocolOptions'> => {
  const http2 = isHttp2(pool, protocol);
  const common = commonOptions(pool, keepAlive);
  if (!http2 && common === undefined) return {};
  const options = packAny(HttpProtocolOptionsSchema, {
    ...(common && { commonHttpProtocolOptions: common }),
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: { protocolConfig: explicit(http2, pool, keepAlive) },
    },
  });
  return { typedExtensionProtocolOptions: { [HTTP_PROTOCOL_OPTIONS]: options } };
};

const explicit = (
  http2: boolean,
  pool: ConnectionPool | undefined,
  keepAlive: KeepAliveSettings | undefined,
): ExplicitProtocol => {
  if (!http2) return { case: 'httpProtocolOptions', value: {} };
  const streams = pool?.http?.maxConcurrentStreams;
  const ping = keepAlive?.http2Ping;
  return {
    case: 'http2ProtocolOptions',
    value: {
      ...(streams ? { maxConcurrentStreams: streams } : {}),
      ...(ping && {
        connectionKeepalive: {
          interval: duration(ping.interval),
          timeout: duration(ping.timeout ?? defaultOf('pingTimeoutMs')),
        },
      }),
    },
  };
};

const commonOptions = (
  pool: ConnectionPool | undefined,
  keepAlive: KeepAliveSettings | undefined,
): CommonHttpInit | undefined => {
  const idleTimeout = keepAlive?.idleTimeout ?? pool?.http?.idleTimeout ?? pool?.tcp?.idleTimeout;
  const maxConnectionDuration = pool?.tcp?.maxConnectionDuration;
  const maxRequestsPerConnection = pool?.http?.maxRequestsPerConnection;
  if (idleTimeout === undefined && maxConnectionDuration === undefined && !maxRequestsPerConnection) return undefined;
  return {
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
    ...(maxConnectionDuration === undefined ? {} : { maxConnectionDuration: duration(maxConnectionDuration) }),
    ...(maxRequestsPerConnection ? { maxRequestsPerConnection } : {}),
  };
};
