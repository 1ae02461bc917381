/** Every default of the control plane, once, with its unit and source; printed into `docs/reference/defaults.md`. */
export interface Default {
  readonly value: number;
  readonly unit: 'ms' | 'count' | 'bytes' | 'percent';
  readonly source: string;
  readonly meaning: string;
}

const entry = (value: number, unit: Default['unit'], source: string, meaning: string): Default => ({
  value,
  unit,
  source,
  meaning,
});

export const DEFAULTS = {
  implicitPorts: entry(32, 'count', 'Inmesh', 'ports of a service that only registered processes make'),
  fileBytes: entry(16_777_216, 'bytes', 'Inmesh', 'a larger configuration file is not read'),
  fileDocuments: entry(100_000, 'count', 'Inmesh', 'documents and items of Lists read of one configuration file'),
  documentCharacters: entry(
    262_144,
    'count',
    'Inmesh',
    'characters of one document, or of one item of a List; a longer one is an error',
  ),
  parseSliceMs: entry(10, 'ms', 'Inmesh', 'configuration files are read in slices of this length'),
  yamlAliases: entry(100, 'count', 'yaml maxAliasCount', 'expansions of YAML anchors in one document'),
  yamlDepth: entry(64, 'count', 'Inmesh', 'levels of nesting in one document'),
  fileBatchMs: entry(20, 'ms', 'Inmesh', 'quiet time before changed files are read together'),
  fileSettleMs: entry(
    250,
    'ms',
    'Inmesh',
    'how long a file that lost objects or became invalid is taken for one being written',
  ),
  fileSweepMs: entry(2_000, 'ms', 'Inmesh', 'between looks at the whole folder, for changes the platform did not tell'),
  filePollMs: entry(500, 'ms', 'Inmesh', 'the same where the platform cannot watch at all'),
  configurationQuietMs: entry(
    20,
    'ms',
    'Inmesh',
    'without a further change before a change of configuration is served',
  ),
  configurationMaxMs: entry(
    1_000,
    'ms',
    'Inmesh',
    'after which changes that never stop coming are served all the same',
  ),
  endpointCoolingMs: entry(
    10,
    'ms',
    'Inmesh',
    'between two changes of endpoints that are served; the first goes at once',
  ),
  routeHoldMs: entry(
    2_000,
    'ms',
    'Inmesh',
    'a route that names a missing cluster waits for it while its old version works',
  ),
  unusedResourceMs: entry(60_000, 'ms', 'Inmesh', 'encoded bytes nobody asked for are dropped after this'),
  connectTimeoutMs: entry(10_000, 'ms', 'Istio MeshConfig.connectTimeout', 'sent where a DestinationRule says nothing'),
  dnsRefreshMs: entry(
    60_000,
    'ms',
    'Istio MeshConfig.dnsRefreshRate',
    'sent with DNS clusters, used where DNS gives no TTL',
  ),
  retries: entry(2, 'count', 'Istio default HTTP retry policy', 'retries of a route that says nothing'),
  hostSelectionAttempts: entry(
    5,
    'count',
    'Istio default HTTP retry policy',
    'picks made to find a host not tried before',
  ),
  minimumRingSize: entry(
    1_024,
    'count',
    'Envoy RingHashLbConfig.minimum_ring_size',
    'sent where consistentHash has no ringHash',
  ),
  unlimited: entry(
    4_294_967_295,
    'count',
    'Istio connection pool defaults',
    'sent for every limit that is not written',
  ),
  retryBudgetPercent: entry(
    0.2,
    'percent',
    'Istio retryBudget',
    'where a budget gives none (Istio sends the literal 0.2)',
  ),
  retryBudgetConcurrency: entry(3, 'count', 'Istio retryBudget', 'retries at once that a budget always allows'),
  registrationGraceMs: entry(10_000, 'ms', 'Inmesh', 'how long a registered process stays after its stream was lost'),
  registrationsPerStream: entry(100, 'count', 'Inmesh', 'services one process may register itself as'),
  returnGraceMs: entry(
    2_000,
    'ms',
    'Inmesh',
    'after a start, before Envoy and gRPC clients are told of endpoints that only register themselves',
  ),
  namesPerStream: entry(10_000, 'count', 'Inmesh', 'names, of all types together, that a stream may subscribe to'),
  typesPerStream: entry(32, 'count', 'Inmesh', 'types a stream may ask for'),
  nameLength: entry(4_096, 'count', 'Inmesh', 'characters of a name that is asked for'),
  requestBytes: entry(4_194_304, 'bytes', 'gRPC maximum receive message size', 'a larger request ends its stream'),
  requestFields: entry(50_000, 'count', 'Inmesh', 'names and versions of one request; more are not parsed'),
  nodeBytes: entry(262_144, 'bytes', 'Inmesh', 'of the node of a request'),
  reasonLength: entry(8_192, 'count', 'Inmesh', 'characters kept of why a client rejects a response'),
  newNamesPerSecond: entry(500, 'count', 'Inmesh', 'requests and new names of a stream; beyond it is read more slowly'),
  newNamesBurst: entry(20_000, 'count', 'Inmesh', 'the same at once, as after a reconnect'),
  admittedStreams: entry(32, 'count', 'Inmesh', 'streams that are given their first answers at a time; the rest queue'),
  admittedMs: entry(1_000, 'ms', 'Inmesh', 'after which a stream that does not answer lets the next one in'),
  behindMs: entry(
    2_000,
    'ms',
    'Inmesh',
    'a client that has seen a newer revision waits for it, before its first answer',
  ),
  unreadStreamBytes: entry(
    65_536,
    'bytes',
    'HTTP/2 initial window (RFC 9113 6.9.2)',
    'unread by a client: it is told only the newest once it has caught up',
  ),
  unreadStreamMs: entry(30_000, 'ms', 'Inmesh', 'without reading anything that waits for it, a stream is ended'),
  pushSliceMs: entry(5, 'ms', 'Inmesh', 'answers made before the event loop has its turn'),
  keepaliveMs: entry(30_000, 'ms', 'Inmesh', 'between pings of an ADS connection'),
  keepaliveTimeoutMs: entry(
    20_000,
    'ms',
    'gRPC GRPC_ARG_KEEPALIVE_TIMEOUT_MS',
    'without an answer to a ping it is dead',
  ),
  drainMs: entry(2_000, 'ms', 'Inmesh', 'how long streams may take to end when the control plane closes'),
  settleMs: entry(5_000, 'ms', 'Inmesh', 'the longest wait of settled()'),
  settleQuietMs: entry(50, 'ms', 'Inmesh', 'clients that have said nothing for this long have followed'),
} as const satisfies Record<string, Default>;

export type DefaultName = keyof typeof DEFAULTS;

export const defaultOf = (name: DefaultName): number => DEFAULTS[name].value;
