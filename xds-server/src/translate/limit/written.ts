import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import type { EffectivePolicy } from '../traffic-policy.ts';

/** Something a rule may say → the xDS field in which it is sent. */
export interface Written<T> {
  /** In the part of the rule that is looked at. */
  readonly path: string;
  readonly isSet: (part: T) => boolean;
  readonly field: string;
}

const ROUTE = 'envoy.config.route.v3';
const CLUSTER = 'envoy.config.cluster.v3';
const HASH = `${ROUTE}.RouteAction.HashPolicy`;
const THRESHOLDS = `${CLUSTER}.CircuitBreakers.Thresholds`;

export const OF_ROUTES: readonly Written<HttpRoute>[] = [
  { path: 'headers', isSet: ({ headers }) => headers !== undefined, field: `${ROUTE}.Route.request_headers_to_add` },
  {
    path: 'route.headers',
    isSet: ({ route }) => route.some(({ headers }) => headers !== undefined),
    field: `${ROUTE}.WeightedCluster.ClusterWeight.request_headers_to_add`,
  },
  {
    path: 'mirror',
    isSet: ({ mirror, mirrors }) => mirror !== undefined || mirrors.length > 0,
    field: `${ROUTE}.RouteAction.request_mirror_policies`,
  },
  {
    path: 'rewrite.uri',
    isSet: ({ rewrite }) => (rewrite?.uri ?? rewrite?.uriRegexRewrite) !== undefined,
    field: `${ROUTE}.RouteAction.prefix_rewrite`,
  },
  {
    path: 'rewrite.authority',
    isSet: ({ rewrite }) => rewrite?.authority !== undefined,
    field: `${ROUTE}.RouteAction.host_rewrite_literal`,
  },
  {
    path: 'retries.perTryTimeout',
    isSet: ({ retries }) => retries?.perTryTimeout !== undefined,
    field: `${ROUTE}.RetryPolicy.per_try_timeout`,
  },
  {
    path: 'retries.retryRemoteLocalities',
    isSet: ({ retries }) => retries?.retryRemoteLocalities === true,
    field: `${ROUTE}.RetryPolicy.retry_priority`,
  },
  {
    path: 'retries.retryIgnorePreviousHosts',
    isSet: ({ retries }) => retries?.retryIgnorePreviousHosts === true,
    field: `${ROUTE}.RetryPolicy.retry_host_predicate`,
  },
  {
    path: 'retries.attempts',
    isSet: ({ retries }) => (retries?.attempts ?? 0) > 4,
    field: `${ROUTE}.RetryPolicy.num_retries`,
  },
];

export const OF_POLICIES: readonly Written<EffectivePolicy>[] = [
  {
    path: 'connectionPool.tcp.maxConnections',
    isSet: ({ connectionPool: pool }) => Boolean(pool?.tcp?.maxConnections),
    field: `${THRESHOLDS}.max_connections`,
  },
  {
    path: 'connectionPool.tcp.connectTimeout',
    isSet: ({ connectionPool: pool }) => pool?.tcp?.connectTimeout !== undefined,
    field: `${CLUSTER}.Cluster.connect_timeout`,
  },
  {
    path: 'connectionPool.tcp.tcpKeepalive',
    isSet: ({ connectionPool: pool }) => pool?.tcp?.tcpKeepalive !== undefined,
    field: `${CLUSTER}.Cluster.upstream_connection_options`,
  },
  {
    path: 'connectionPool.http.http1MaxPendingRequests',
    isSet: ({ connectionPool: pool }) => Boolean(pool?.http?.http1MaxPendingRequests),
    field: `${THRESHOLDS}.max_pending_requests`,
  },
  {
    path: 'connectionPool.http.maxRetries',
    isSet: ({ connectionPool: pool }) => Boolean(pool?.http?.maxRetries),
    field: `${THRESHOLDS}.max_retries`,
  },
  {
    path: 'connectionPool (idleTimeout, maxConnectionDuration, maxRequestsPerConnection, maxConcurrentStreams)',
    isSet: ({ connectionPool: { tcp, http } = {} }) =>
      [tcp?.idleTimeout, tcp?.maxConnectionDuration, http?.idleTimeout].some((time) => time !== undefined) ||
      Boolean(http?.maxRequestsPerConnection || http?.maxConcurrentStreams),
    field: `${CLUSTER}.Cluster.typed_extension_protocol_options`,
  },
  { path: 'retryBudget', isSet: ({ retryBudget }) => retryBudget !== undefined, field: `${THRESHOLDS}.retry_budget` },
  {
    path: 'outlierDetection',
    isSet: ({ outlierDetection }) => outlierDetection !== undefined,
    field: `${CLUSTER}.OutlierDetection.consecutive_5xx`,
  },
  {
    path: 'outlierDetection.minHealthPercent',
    isSet: ({ outlierDetection }) => Boolean(outlierDetection?.minHealthPercent),
    field: `${CLUSTER}.Cluster.CommonLbConfig.healthy_panic_threshold`,
  },
  {
    path: 'outlierDetection.splitExternalLocalOriginErrors',
    isSet: ({ outlierDetection }) => outlierDetection?.splitExternalLocalOriginErrors === true,
    field: `${CLUSTER}.OutlierDetection.split_external_local_origin_errors`,
  },
  {
    path: 'loadBalancer.simple: LEAST_REQUEST',
    isSet: ({ loadBalancer }) => loadBalancer?.simple === 'LEAST_REQUEST' || loadBalancer?.simple === 'LEAST_CONN',
    field: 'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest.choice_count',
  },
  {
    path: 'loadBalancer.simple: RANDOM',
    isSet: ({ loadBalancer }) => loadBalancer?.simple === 'RANDOM',
    field: 'envoy.extensions.load_balancing_policies.random.v3.Random.locality_lb_config',
  },
  {
    path: 'loadBalancer.consistentHash.maglev',
    isSet: ({ loadBalancer }) => loadBalancer?.consistentHash?.maglev !== undefined,
    field: `${CLUSTER}.Cluster.maglev_lb_config`,
  },
  {
    path: 'loadBalancer.consistentHash.httpCookie',
    isSet: ({ loadBalancer }) => loadBalancer?.consistentHash?.httpCookie !== undefined,
    field: `${HASH}.cookie`,
  },
  {
    path: 'loadBalancer.consistentHash.useSourceIp',
    isSet: ({ loadBalancer }) => loadBalancer?.consistentHash?.useSourceIp === true,
    field: `${HASH}.connection_properties`,
  },
  {
    path: 'loadBalancer.consistentHash.httpQueryParameterName',
    isSet: ({ loadBalancer }) => loadBalancer?.consistentHash?.httpQueryParameterName !== undefined,
    field: `${HASH}.query_parameter`,
  },
  {
    path: 'loadBalancer.warmup',
    isSet: ({ loadBalancer }) => (loadBalancer?.warmup ?? loadBalancer?.warmupDurationSecs) !== undefined,
    field: `${CLUSTER}.Cluster.round_robin_lb_config`,
  },
  {
    path: 'tls.sni',
    isSet: ({ tls }) => tls?.sni !== undefined && tls.sni !== '',
    field: 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext.sni',
  },
];
