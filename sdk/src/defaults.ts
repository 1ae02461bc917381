import { type Default, entry } from './defaults/entry.ts';
import { GUARD } from './defaults/guard.ts';
import { IDENTITY } from './defaults/identity.ts';
import { POLICIES } from './defaults/policies.ts';

export { type Default, entry } from './defaults/entry.ts';

/**
 * Every default of the SDK, once, with its unit and source. `docs/reference/defaults.md` is printed from this list.
 * Names end in the unit.
 */
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
  tlsPartsWaitMs: entry(
    4_000,
    'ms',
    'Inmesh',
    'a new configuration waits this long for the secrets and the identity that its TLS needs; without them its connections fail, and say so',
  ),
  identityReplaceMs: entry(
    5_000,
    'ms',
    'Inmesh',
    'idle connections made with the identity before are closed within this, each at a time of its own',
  ),
  tlsFilesCheckMs: entry(
    1_000,
    'ms',
    'Inmesh',
    'certificate files are looked at this often, as connections are wanted',
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
  backoffBaseMs: entry(
    1_000,
    'ms',
    'gRPC connection backoff',
    'first delay before a new stream (ADS, load reports), and before gRPC calls go to a host again that took no connection',
  ),
  backoffMaxMs: entry(120_000, 'ms', 'gRPC connection backoff', 'longest of these delays'),
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
  tlsHandshakeTimeoutMs: entry(
    15_000,
    'ms',
    'Istio, FilterChain.transport_socket_connect_timeout',
    'a client that has not finished its TLS handshake by then is let go',
  ),
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
  grpcMaxReceiveBytes: entry(
    4 * 1024 * 1024,
    'bytes',
    'gRPC',
    'the largest message of an answer that a gRPC channel takes',
  ),
  grpcStateCheckMs: entry(100, 'ms', 'Inmesh', 'how often a gRPC channel whose state is watched looks at it'),
  grpcReadyBackOffMs: entry(
    100,
    'ms',
    'Inmesh',
    'first pause of a gRPC call that waits until somebody is there to take it (wait-for-ready); each further one is 1.6 times as long',
  ),
  grpcReadyBackOffMaxMs: entry(2_000, 'ms', 'Inmesh', 'longest of those pauses'),
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
  excuseMs: entry(
    100,
    'ms',
    'Inmesh',
    'a timeout later than this, and than a fifth of its time, is not counted against the host: this process stood still',
  ),
  directResponseBytes: entry(
    4_096,
    'bytes',
    'Envoy RouteConfiguration.max_direct_response_body_size_bytes',
    'longest body of a direct response',
  ),
  ...POLICIES,
  ...IDENTITY,
  ...GUARD,
  sliceMs: entry(5, 'ms', 'Inmesh', 'longest piece of a table build or a large decode in one turn'),
} as const satisfies Record<string, Default>;

export type DefaultName = keyof typeof DEFAULTS;

export const defaultOf = (name: DefaultName): number => DEFAULTS[name].value;
