/**
 * Every default of the SDK, once, with its unit and source. `docs/reference/defaults.md` is printed from this list.
 * Names end in the unit.
 */
export interface Default {
  readonly value: number;
  readonly unit: 'ms' | 'count' | 'bytes' | 'percent';
  readonly source: string;
  readonly meaning: string;
}

export const entry = (value: number, unit: Default['unit'], source: string, meaning: string): Default => ({
  value,
  unit,
  source,
  meaning,
});

export const DEFAULTS = {
  configTimeoutMs: entry(5_000, 'ms', 'Inmesh', 'how long a call waits for the first configuration of its host'),
  silentControlPlaneMs: entry(
    1_000,
    'ms',
    'Inmesh',
    'how long an unknown name waits for a control plane that says nothing about it',
  ),
  resourceTimeoutMs: entry(15_000, 'ms', 'gRFC A57', 'after which a resource that never came does not exist'),
  slowResourceTimeoutMs: entry(
    30_000,
    'ms',
    'gRFC A88 resource_timer_is_transient_error',
    'the same where the server is known to say when something does not exist: a late answer is then an error, not an absence',
  ),
  idleTargetMs: entry(600_000, 'ms', 'Inmesh', 'a target without a call is unsubscribed after this'),
  negativeAnswers: entry(1_024, 'count', 'Inmesh', 'names the control plane does not know that are remembered'),
  warmTimeoutMs: entry(
    10_000,
    'ms',
    'Inmesh',
    'a new configuration waits this long for all of its parts before it is used with what has come',
  ),
  clusterGraceMs: entry(
    2_000,
    'ms',
    'Inmesh',
    'a cluster that is taken back stays usable for this long: the routes that no longer name it may be on their way',
  ),
  settleMs: entry(
    10_000,
    'ms',
    'Inmesh, as long as a lost registration is kept',
    'after a reconnect in which "no endpoints at all" is not believed: a restarted control plane learns of its workloads as they come back',
  ),
  snapshotDelayMs: entry(2_000, 'ms', 'Inmesh', 'after a change the snapshot file is written'),
  snapshotEntries: entry(4_096, 'count', 'Inmesh', 'resources kept in the snapshot file'),
  snapshotBytes: entry(268_435_456, 'bytes', 'Inmesh', 'largest snapshot file read'),
  backoffBaseMs: entry(1_000, 'ms', 'gRPC connection backoff', 'first delay before a new ADS stream'),
  backoffMaxMs: entry(120_000, 'ms', 'gRPC connection backoff', 'longest delay before a new ADS stream'),
  backoffLocalMaxMs: entry(
    250,
    'ms',
    'Inmesh',
    'longest delay before a new ADS stream to a control plane on this machine',
  ),
  adsPingIntervalMs: entry(
    30_000,
    'ms',
    'grpc-go EnforcementPolicy.MinTime',
    'between two PINGs on the ADS connection (doubled when the server calls it too many, gRFC A8)',
  ),
  adsPingLongestMs: entry(
    300_000,
    'ms',
    'gRFC A8',
    'to which the interval between PINGs grows: every gRPC server accepts one in five minutes',
  ),
  adsPingTimeoutMs: entry(10_000, 'ms', 'gRFC A8', 'without an answer to a PING the connection is dead'),
  adsMessageBytes: entry(
    67_108_864,
    'bytes',
    'Inmesh',
    'largest discovery response taken (istiod sends 7.6 MB to a client of 1,000 services)',
  ),
  adsMessageFields: entry(
    100_000,
    'count',
    'Inmesh',
    'fields (resources, removed names) of a discovery response; more are not parsed',
  ),
  resourceBytes: entry(33_554_432, 'bytes', 'Inmesh', 'largest resource taken; a larger one is refused unread'),
  messageFields: entry(
    1_000_000,
    'count',
    'Inmesh',
    'endpoints of a locality, routes of a virtual host and their like',
  ),
  connectTimeoutMs: entry(10_000, 'ms', 'Istio MeshConfig.connectTimeout', 'where the cluster gives none'),
  foreignIdleMs: entry(
    4_000,
    'ms',
    'undici keepAliveTimeout',
    'idle time of a connection to a peer that gives no Keep-Alive hint',
  ),
  http2Streams: entry(
    1_024,
    'count',
    'Envoy Http2ProtocolOptions.max_concurrent_streams',
    'requests at a time on one HTTP/2 connection, where its peer allows as many',
  ),
  http2IdleMs: entry(
    3_600_000,
    'ms',
    'Envoy HttpProtocolOptions.idle_timeout',
    'idle time of an HTTP/2 connection: its peer says GOAWAY before it closes',
  ),
  keepAliveMarginMs: entry(1_000, 'ms', 'Inmesh', 'a connection is given up this long before the peer would close it'),
  closeGraceMs: entry(10_000, 'ms', 'Inmesh', 'calls under way when the mesh is closed may take this long to end'),
  tcpKeepAliveMs: entry(
    60_000,
    'ms',
    'undici connector',
    'idle time of a connection before TCP probes whether the peer is there',
  ),
  hintedIdleMaxMs: entry(
    600_000,
    'ms',
    'undici keepAliveMaxTimeout',
    "longest idle time taken from a peer's Keep-Alive hint",
  ),
  drainBytes: entry(16_384, 'bytes', 'Inmesh', 'of a discarded answer that are read to save its connection'),
  comparedBytes: entry(65_536, 'bytes', 'Inmesh', "of a mirror's answer and of the caller's that are compared"),
  drainMs: entry(100, 'ms', 'Inmesh', 'spent on draining a discarded answer'),
  bodyBufferBytes: entry(65_536, 'bytes', 'Linkerd retry limit', 'of a body kept for a replay or collected eagerly'),
  unreadBodyIdleMs: entry(60_000, 'ms', 'Inmesh', 'a response body nobody reads loses its connection after this'),
  propagatedHeaderBytes: entry(
    8_192,
    'bytes',
    'W3C Baggage §3.3.2',
    'of one inbound header that is handed on; a longer one stays behind',
  ),
  explainSourcesMs: entry(1_000, 'ms', 'Inmesh', 'how long explain waits for the positions of the rules'),
  stallMs: entry(20, 'ms', 'Inmesh', 'a timer later than this gives sockets one turn before it fails anything'),
  directResponseBytes: entry(
    4_096,
    'bytes',
    'Envoy RouteConfiguration.max_direct_response_body_size_bytes',
    'longest body of a direct response',
  ),
  routeTimeoutMs: entry(15_000, 'ms', 'Envoy RouteAction.timeout', 'where a route says nothing (Istio sends 0 = none)'),
  tcpIdleMs: entry(
    3_600_000,
    'ms',
    'Envoy TcpProxy.idle_timeout',
    'a connection by tcp or tls routes that nobody uses',
  ),
  retryBaseMs: entry(25, 'ms', 'Envoy RetryPolicy.retry_back_off', 'base interval'),
  rateLimitedRetryMaxMs: entry(
    300_000,
    'ms',
    'Envoy RetryPolicy.RateLimitedRetryBackOff.max_interval',
    'longest wait that an answer may ask for; a longer one counts as none',
  ),
  ringMinimum: entry(1_024, 'count', 'Envoy RingHashLbConfig.minimum_ring_size', 'entries'),
  ringMaximum: entry(8_388_608, 'count', 'Envoy RingHashLbConfig.maximum_ring_size', 'entries'),
  maglevTable: entry(65_537, 'count', 'Envoy MaglevLbConfig.table_size', 'entries'),
  overprovisioning: entry(140, 'percent', 'Envoy ClusterLoadAssignment.Policy.overprovisioning_factor', 'factor'),
  leastRequestChoices: entry(2, 'count', 'Envoy LeastRequestLbConfig.choice_count', 'hosts compared'),
  slowStartMinPercent: entry(
    10,
    'percent',
    'Envoy SlowStartConfig.min_weight_percent',
    'of its weight that a new host has at least',
  ),
  originalDestinationHosts: entry(
    1_024,
    'count',
    'Inmesh',
    'dialled addresses of a passthrough cluster that are remembered',
  ),
  latencyWindowMs: entry(
    30_000,
    'ms',
    'Inmesh',
    'latencies of this window and the one before make the p95 of a cluster',
  ),
  latencySamples: entry(20, 'count', 'Inmesh', 'attempts that went well before there is a p95'),
  hostSelectionAttempts: entry(
    1,
    'count',
    'Envoy RetryPolicy.host_selection_retry_max_attempts',
    'further choices when a chosen host is to be avoided',
  ),
  panicThreshold: entry(
    50,
    'percent',
    'Envoy CommonLbConfig.healthy_panic_threshold',
    'of healthy hosts below which health is disregarded',
  ),
  breakerLimit: entry(
    1_024,
    'count',
    'Envoy CircuitBreakers.Thresholds',
    'connections, pending requests and requests of a cluster (Istio sends no limit)',
  ),
  breakerRetries: entry(3, 'count', 'Envoy CircuitBreakers.Thresholds.max_retries', 'retries at a time'),
  dnsRefreshMs: entry(5_000, 'ms', 'Envoy Cluster.dns_refresh_rate', 'between two looks at the names of a DNS cluster'),
  healthCheckNoTrafficMs: entry(
    60_000,
    'ms',
    'Envoy HealthCheck.no_traffic_interval',
    'between health checks of a cluster that nobody has called',
  ),
  healthCheckBodyBytes: entry(
    1_024,
    'bytes',
    'Envoy HttpHealthCheck.response_buffer_size',
    'of the answer to a health check that are looked at',
  ),
  outlierIntervalMs: entry(10_000, 'ms', 'Envoy OutlierDetection.interval', 'between two looks at the ejected hosts'),
  outlierBaseEjectionMs: entry(30_000, 'ms', 'Envoy OutlierDetection.base_ejection_time', 'first ejection'),
  outlierMaxEjectionMs: entry(300_000, 'ms', 'Envoy OutlierDetection.max_ejection_time', 'longest ejection'),
  outlierMaxPercent: entry(
    10,
    'percent',
    'Envoy OutlierDetection.max_ejection_percent',
    'of the hosts that may be ejected',
  ),
  outlierConsecutive: entry(
    5,
    'count',
    'Envoy OutlierDetection.consecutive_5xx',
    'failures in a row that eject (5xx, gateway, local origin alike)',
  ),
  outlierMinimumHosts: entry(
    5,
    'count',
    'Envoy OutlierDetection.success_rate_minimum_hosts, failure_percentage_minimum_hosts',
    'hosts with enough requests, below which rates eject nobody',
  ),
  successRateVolume: entry(
    100,
    'count',
    'Envoy OutlierDetection.success_rate_request_volume',
    'requests of a host in one interval for its rate to count',
  ),
  successRateStdevFactor: entry(
    1_900,
    'count',
    'Envoy OutlierDetection.success_rate_stdev_factor',
    'thousandths of a standard deviation below the mean that eject',
  ),
  failurePercentageThreshold: entry(
    85,
    'percent',
    'Envoy OutlierDetection.failure_percentage_threshold',
    'of failures that eject',
  ),
  failurePercentageVolume: entry(
    50,
    'count',
    'Envoy OutlierDetection.failure_percentage_request_volume',
    'requests of a host in one interval for its failures to count',
  ),
  retryBudgetPercent: entry(
    20,
    'percent',
    'Envoy RetryBudget.budget_percent',
    'of the requests under way that may be retries (also where no resource sets a budget)',
  ),
  retryBudgetMinimum: entry(
    3,
    'count',
    'Envoy RetryBudget.min_retry_concurrency',
    'retries at a time that are always allowed',
  ),
  retryShareMs: entry(
    10_000,
    'ms',
    'Linkerd RetryBudget.ttl',
    'after which the retries of the default budget are counted anew: at most retryBudgetPercent of the first requests',
  ),
  retryShareMinimum: entry(
    100,
    'count',
    'Linkerd RetryBudget.minRetriesPerSecond (10)',
    'retries in that time that the default budget always has room for',
  ),
  appBreakers: entry(
    1_000,
    'count',
    'Inmesh',
    'breakers of a mesh (mesh.breaker); one more, and the one unused for longest begins anew',
  ),
  appBreakerTimeoutMs: entry(10_000, 'ms', 'opossum timeout', 'to the head of an answer behind a breaker'),
  appBreakerErrorPercent: entry(
    50,
    'percent',
    'opossum errorThresholdPercentage',
    'of failed calls above which a breaker opens',
  ),
  appBreakerVolume: entry(
    10,
    'count',
    'Inmesh (opossum volumeThreshold is 0: one failure opens)',
    'calls in the window below which a breaker does not open',
  ),
  appBreakerResetMs: entry(
    30_000,
    'ms',
    'opossum resetTimeout',
    'a breaker stays open before it lets one call through',
  ),
  appBreakerWindowMs: entry(10_000, 'ms', 'opossum rollingCountTimeout', 'of calls a breaker judges by'),
  sliceMs: entry(5, 'ms', 'Inmesh', 'longest piece of a table build or a large decode in one turn'),
} as const satisfies Record<string, Default>;

export type DefaultName = keyof typeof DEFAULTS;

export const defaultOf = (name: DefaultName): number => DEFAULTS[name].value;
