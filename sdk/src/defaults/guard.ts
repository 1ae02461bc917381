import { type Default, entry } from './entry.ts';

/** Of guarded servers. */
export const GUARD = {
  guardFirstBytesMs: entry(
    15_000,
    'ms',
    'Envoy Listener.listener_filters_timeout',
    'for the first bytes of a connection to a guarded server: TLS or plain text',
  ),
  guardHelloBytes: entry(
    16_384,
    'bytes',
    'Envoy TlsInspector.max_client_hello_size',
    'longest ClientHello that is read to tell TLS of the mesh from other TLS',
  ),
  guardWaiting: entry(
    1_024,
    'count',
    'Inmesh',
    'connections to a guarded server that wait until its configuration has come; more are closed',
  ),
  guardIdleMs: entry(
    75_000,
    'ms',
    'Inmesh, above the 60 s of usual load balancers',
    'idle time of a connection to a guarded server, hinted to clients (HTTP/2 that has been used: http2IdleMs)',
  ),
  guardHeadersMs: entry(
    15_000,
    'ms',
    'Inmesh (Node: 60 s)',
    'for the headers of a request to a guarded server, where the application left Node’s own',
  ),
  guardConcurrentStreams: entry(
    200,
    'count',
    'ztunnel pool_max_streams_per_conn and its server',
    'streams at a time on one HTTP/2 connection to a guarded server, where its listener says nothing',
  ),
  guardPrematureStreams: entry(
    500,
    'count',
    'Envoy overload.premature_reset_total_stream_count',
    'streams of a connection after which it is closed when half of them were reset as soon as they were opened',
  ),
  guardPrematureMs: entry(
    1_000,
    'ms',
    'Envoy overload.premature_reset_min_stream_lifetime_seconds',
    'a stream reset by its peer before this was reset as soon as it was opened',
  ),
  guardFrameWindowMs: entry(10_000, 'ms', 'Inmesh', 'in which PING and SETTINGS frames of a connection are counted'),
  guardPings: entry(10_000, 'count', 'Inmesh', 'PING frames in that time: more than any client measures its link with'),
  guardSettings: entry(100, 'count', 'Inmesh', 'SETTINGS frames in that time'),
  guardDrainMs: entry(
    5_000,
    'ms',
    'Envoy HttpConnectionManager.drain_timeout',
    'for requests under way on a connection that must end: forbidden by a change, or too old',
  ),
  guardDelayMs: entry(
    5_000,
    'ms',
    'Istio ProxyConfig.terminationDrainDuration',
    'between a signal and the end of listening: callers learn of it in this time',
  ),
  guardGraceMs: entry(
    20_000,
    'ms',
    'Inmesh: with the delay below the 30 s of Kubernetes',
    'for requests under way when a guarded server closes',
  ),
  healthPort: entry(15_021, 'count', 'Istio', 'port of /healthz/ready of a guarded server, where it is asked for'),
  metricsPort: entry(
    15_020,
    'count',
    'Istio',
    'port of /metrics and /app-health of a guarded server, where it is asked for',
  ),
  ownPortConnections: entry(256, 'count', 'Inmesh', 'connections at a time to each of these ports'),
  ownPortHeaderBytes: entry(8_192, 'bytes', 'Inmesh', 'longest head of a request to one of these ports'),
} as const satisfies Record<string, Default>;
