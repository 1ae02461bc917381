import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Dispatcher } from 'undici';
import { type Bootstrap, readBootstrap } from './bootstrap/bootstrap.ts';
import type { Breaker, BreakerOptions } from './breaker/breaker.ts';
import { type Breakers, createBreakers } from './breaker/breakers.ts';
import { type Clock, holdProcess, type Random, systemClock, systemRandom, systemTurn } from './clock.ts';
import type { ConnectOptions } from './connect/destination.ts';
import { MeshSocket } from './connect/mesh-socket.ts';
import type { ConnectRuntime } from './connect/runtime.ts';
import { defaultOf } from './defaults.ts';
import type { ClientConfig } from './discovery/client-config.ts';
import { MeshError } from './errors.ts';
import type { Explanation } from './explain/explanation.ts';
import { grpcOptions, MeshChannel, makeClient } from './grpc/channel.ts';
import type { GrpcChannel, GrpcClientClass, GrpcOptions } from './grpc/types.ts';
import { createMeshFetch, createPlainFetch, type MeshFetch } from './http/fetch/mesh-fetch.ts';
import { install } from './http/install.ts';
import { policyFault } from './http/policy-fault.ts';
import { questionOf } from './http/question.ts';
import type { MeshRuntime } from './http/runtime.ts';
import { createDispatch, createInterceptor } from './http/undici/dispatch.ts';
import { MeshDispatcher } from './http/undici/dispatcher.ts';
import { createPassthrough } from './http/undici/passthrough.ts';
import { createRequest, type MeshRequestFunction } from './http/undici/request.ts';
import { createEvents } from './mesh/events.ts';
import type { MeshIdentity } from './mesh/identity.ts';
import { LazyCore } from './mesh/lazy-core.ts';
import { OUTBOUND, type WithOutbound } from './mesh/outbound.ts';
import { waitUntilReady } from './mesh/ready.ts';
import { createServerSide, SERVER_SIDE, type ServerSide, type WithServerSide } from './mesh/server-side.ts';
import type { EventSink } from './model/events.ts';
import type { ExplainOptions, MeshOptions, ReadyOptions, Registration } from './options.ts';
import { createLog } from './telemetry/log.ts';
import type { StartProbe } from './upstream/health/checker.ts';
import type { Ejection } from './upstream/outlier/record.ts';

/** A mesh: everything an application does with it. */
export interface Mesh extends AsyncDisposable {
  /** fetch through the mesh. See `meshFetch`. */
  readonly fetch: MeshFetch;
  /** undici.request through the mesh. */
  readonly request: MeshRequestFunction;
  /** For `{ dispatcher }` of fetch and undici, and for undici's WebSocket and EventSource. */
  readonly dispatcher: Dispatcher;
  /** For `compose` of a dispatcher: hosts of the mesh go through the mesh, all others to the dispatcher composed. */
  interceptor(): Dispatcher.DispatcherComposeInterceptor;
  /**
   * A connection to a host and port, by its `tcp` or `tls` routes: split, balanced and limited as the resources say. Hosts that
   * are none of the mesh's are dialled as written, or refused under REGISTRY_ONLY. The socket is the application's: to be read,
   * written and closed like any other. Rejects with a MeshError, or with the signal's reason.
   *
   * @example
   * const socket = await mesh.connect({ host: 'redis', port: 6379 });
   */
  connect(options: ConnectOptions): Promise<Socket>;
  /**
   * The same for a driver that wants its socket at once and connects it itself (`socket.connect(port, host)`), or, with options,
   * one that is connecting already. What goes wrong is its `error`.
   *
   * @example
   * new pg.Client({ host: 'db', port: 5432, stream: () => mesh.socket() });
   */
  socket(options?: ConnectOptions): MeshSocket;
  /**
   * The options that put a client of `@grpc/grpc-js` on the mesh: its stubs, interceptors, metadata, credentials and deadlines stay,
   * its channel is the mesh's. Hosts that are none of the mesh's are called by grpc-js itself, or refused under REGISTRY_ONLY.
   *
   * @example
   * const client = new EchoClient('echo:80', credentials.createInsecure(), mesh.grpc());
   */
  grpc(): GrpcOptions;
  /** A channel to a target (`host:port`), for `channelOverride` and for whatever else takes one of grpc-js. */
  channel(target: string): GrpcChannel;
  /**
   * A generated client on the mesh.
   *
   * @example
   * const client = mesh.client(EchoClient, 'echo:80');
   */
  client<C>(Client: GrpcClientClass<C>, target: string): C;
  /**
   * Takes the place of `globalThis.fetch` and of undici's global dispatchers until the result is disposed of. Throws
   * MESH_CONFIG_INVALID when another mesh is installed.
   */
  install(): Disposable;
  /** Resolves when the control plane answers and each host named has its configuration; rejects with MESH_NOT_READY naming what is missing. */
  ready(options?: ReadyOptions): Promise<void>;
  /** Makes this process an endpoint of a service for as long as the mesh is connected. */
  register(registration: Registration): void;
  /**
   * The application's own circuit breaker of a host (`host:port`): the same host, the same breaker, with the options of the first
   * time. Throws MESH_CONFIG_INVALID.
   */
  breaker(host: string, options?: BreakerOptions): Breaker;
  /**
   * Who this process is to its peers; undefined where it was given no credential. Rejects with MESH_IDENTITY_UNAVAILABLE, which
   * says what is missing, when there should be a certificate and none can be had.
   */
  identity(): Promise<MeshIdentity | undefined>;
  /** What would become of a request, or of a connection (`tcp://db:5432`), and why: the same decision, and nothing is sent. */
  explain(request: ExplainOptions): Promise<Explanation>;
  /** What is known of every resource asked for, in the shape of Envoy's client status discovery service (CSDS). */
  csds(): Promise<ClientConfig>;
  /** Hosts that outlier detection has left out: those that are out now, and the last time of those that are back. */
  ejections(): readonly Ejection[];
  /** Ends the ejection of a host (`address:port`) at once; false where it is not ejected. */
  uneject(ejection: Pick<Ejection, 'cluster' | 'host'>): boolean;
  /**
   * What has been counted so far, in Prometheus' text format: warnings and refusals of configuration, ejections, retries
   * that were refused; and `istio_requests_total`, from the first time on. For the answer of the application's own `/metrics`.
   */
  metrics(): Promise<string>;
  /** Hears every event until the returned function is called. */
  on(listener: EventSink): () => void;
  /** Leaves the mesh: registered services are gone at once, calls under way may end. */
  close(): Promise<void>;
}

/** What a mesh takes from its process. */
interface MeshDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** How hosts are asked for their health; over the network where absent. */
  readonly probe?: StartProbe;
}

/** An import would read every name it exports, and load Node's streams and promises of files by that. */
const files = (): typeof import('node:fs') => process.getBuiltinModule('node:fs');

/**
 * Makes a mesh from options and the environment. Throws MESH_BOOTSTRAP_INVALID when what is given cannot be used,
 * MESH_CONFIG_INVALID where its policy has a number that is none. Without a control plane the mesh is off: calls go out as written.
 */
export function createMesh(options: MeshOptions = {}, given: Partial<MeshDeps> = {}): Mesh {
  const deps = { env: process.env, clock: systemClock, random: systemRandom, ...given };
  const bootstrap = readBootstrap({
    env: deps.env,
    options,
    readFile: (path) => files().readFileSync(path, 'utf8'),
    exists: (path) => files().existsSync(path),
    host: { name: hostname(), pid: process.pid },
    hasTransport: options.transport !== undefined,
  });
  const fault = options.policy && policyFault(options.policy);
  if (fault !== undefined) throw new MeshError('MESH_CONFIG_INVALID', `policy.${fault}`);
  return new LiveMesh(bootstrap, options, deps);
}

class LiveMesh implements Mesh, WithServerSide, WithOutbound {
  readonly fetch: MeshFetch;
  readonly request: MeshRequestFunction;
  readonly dispatcher: Dispatcher;
  readonly #interceptor: ReturnType<typeof createInterceptor>;
  readonly #events = createEvents();
  readonly #passthrough = createPassthrough();
  readonly #breakers: Breakers;
  readonly #core: LazyCore;
  readonly #deps: MeshDeps;
  readonly #policy: Pick<MeshRuntime, 'configTimeoutMs' | 'outboundPolicy' | 'localReply' | 'policy'>;
  readonly #connects: ConnectRuntime;
  readonly #runtime: MeshRuntime;
  readonly #isOff: boolean;
  /** For guarded servers. */
  readonly [SERVER_SIDE]: ServerSide;
  /** For transports of `@connectrpc/connect`. */
  readonly [OUTBOUND]: MeshRuntime;
  #installation: Disposable | undefined;

  constructor(bootstrap: Bootstrap | undefined, options: MeshOptions, deps: MeshDeps) {
    const { clock, random, probe } = deps;
    const events = this.#events;
    this.#deps = deps;
    this.#isOff = bootstrap === undefined;
    this.#policy = {
      configTimeoutMs: options.configTimeoutMs ?? defaultOf('configTimeoutMs'),
      localReply: options.localReply ?? 'resolve',
      outboundPolicy: bootstrap?.outboundPolicy ?? 'ALLOW_ANY',
      policy: options.policy && { ...options.policy },
    };
    const { configTimeoutMs } = this.#policy;
    const { transport, sourceIp = 'own' } = options;
    const parts = { transport, clock, random, events, configTimeoutMs, sourceIp, policy: this.#policy.policy, probe };
    this.#core = new LazyCore(bootstrap, parts);
    const runtime: MeshRuntime = {
      clock,
      emit: events.emit,
      ...this.#policy,
      lookup: (target: string) => this.#core.lookup(target),
      lookupConnection: (target: string) => this.#core.lookupConnection(target),
      start: this.#core.start,
      answering: this.#core.answering,
    };
    this.#runtime = runtime;
    this[OUTBOUND] = runtime;
    const metrics = () => this.metrics();
    this[SERVER_SIDE] = createServerSide({ core: this.#core, clock, emit: events.emit, isOn: !this.#isOff, metrics });
    this.#connects = {
      clock,
      random,
      turn: systemTurn,
      emit: events.emit,
      ...this.#policy,
      sourceIp: () => this.#core.sourceIp(),
      secure: () => this.#core.secure(),
      lookupConnection: (target: string) => this.#core.lookupConnection(target),
    };
    if (bootstrap?.log === 'debug') this.on(createLog((line) => process.stderr.write(line)));
    this.#interceptor = createInterceptor(runtime);
    const dispatch = createDispatch(runtime, this.#passthrough.dispatch);
    this.dispatcher = MeshDispatcher.create(dispatch, () => this.close());
    this.fetch = bootstrap === undefined ? createPlainFetch() : createMeshFetch(runtime, this.dispatcher);
    this.#breakers = createBreakers(this.fetch, clock);
    this.request = createRequest(this.dispatcher);
    if (bootstrap?.service) this.register(registrationOf(bootstrap.service));
  }

  interceptor(): Dispatcher.DispatcherComposeInterceptor {
    return this.#interceptor as unknown as Dispatcher.DispatcherComposeInterceptor;
  }

  async connect(options: ConnectOptions): Promise<Socket> {
    const { connect } = await import('./connect/connect.ts');
    return connect(this.#connects, options);
  }

  socket(options?: ConnectOptions): MeshSocket {
    return new MeshSocket((to) => this.connect(to), this.#deps.clock, options);
  }

  grpc(): GrpcOptions {
    return grpcOptions(this.#runtime);
  }

  channel(target: string): GrpcChannel {
    return new MeshChannel(this.#runtime, target, undefined, {});
  }

  client<C>(Client: GrpcClientClass<C>, target: string): C {
    return makeClient(this.#runtime, Client, target);
  }

  install(): Disposable {
    const { fetch, dispatcher } = this;
    this.#installation = install({ owner: this, fetch, dispatcher, prepare: () => this.#passthrough.keep() });
    return this.#installation;
  }

  async ready({ hosts = [], timeoutMs = this.#policy.configTimeoutMs }: ReadyOptions = {}): Promise<void> {
    if (this.#isOff) return;
    const { clock } = this.#deps;
    await waitUntilReady({ core: this.#core.running(), events: this.#events, clock, hosts, timeoutMs });
  }

  register(registration: Registration): void {
    this.#core.register(registration);
  }

  breaker(host: string, options?: BreakerOptions): Breaker {
    return this.#breakers.of(host, options);
  }

  async identity(): Promise<MeshIdentity | undefined> {
    if (this.#isOff) return undefined;
    const hold = holdProcess();
    try {
      const [{ describeIdentity }, { identity }] = await Promise.all([
        import('./mesh/identity.ts'),
        this.#core.running(),
      ]);
      return await describeIdentity(identity, this.#deps.clock, this.#policy.configTimeoutMs);
    } finally {
      hold.cancel();
    }
  }

  async explain(request: ExplainOptions): Promise<Explanation> {
    if (this.#isOff) throw new MeshError('MESH_NOT_READY', 'the mesh is off', { hint: 'set INMESH_XDS=host:port' });
    const [{ explain, explainConnection, connectionQuestionOf }, { lookup, lookupConnection, discovery, identity }] =
      await Promise.all([loadExplain(), this.#core.running()]);
    const parts = { lookup, lookupConnection, discovery, identity, clock: this.#deps.clock, ...this.#policy };
    const connection = connectionQuestionOf(request);
    if (connection !== undefined) return explainConnection(parts, connection);
    return explain(parts, questionOf(request));
  }

  async csds(): Promise<ClientConfig> {
    if (this.#isOff) return { genericXdsConfigs: [] };
    const [{ clientConfig }, { discovery }] = await Promise.all([
      import('./discovery/client-config.ts'),
      this.#core.running(),
    ]);
    return clientConfig(discovery.status());
  }

  ejections(): readonly Ejection[] {
    return [...this.#core.upstreams.values()].flatMap((upstream) => upstream.ejections());
  }

  uneject({ cluster, host }: Pick<Ejection, 'cluster' | 'host'>): boolean {
    return this.#core.upstreams.get(cluster)?.uneject(host) === true;
  }

  async metrics(): Promise<string> {
    const { metricsText } = await import('./telemetry/metrics.ts');
    return metricsText(this.#events.counts, { ejections: this.ejections(), certificate: this.#core.certificate });
  }

  on(listener: EventSink): () => void {
    return this.#events.on(listener);
  }

  async close(): Promise<void> {
    this.#installation?.[Symbol.dispose]();
    forget(this);
    this.#breakers.close();
    await this.#core.close();
    await this.#passthrough.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const loadExplain = async () => ({
  ...(await import('./explain/explain.ts')),
  ...(await import('./explain/connection.ts')),
  ...(await import('./connect/question.ts')),
});

const registrationOf = ({ name, port, version }: NonNullable<Bootstrap['service']>): Registration => ({
  service: name,
  port,
  ...(version !== undefined && { version }),
});

/** The default mesh of the process: one, whichever copy of the package made it. */
const DEFAULT: unique symbol = Symbol.for('inmesh.mesh.1') as never;

interface Global {
  [DEFAULT]?: Mesh | undefined;
}

/**
 * The process's own mesh, made from the environment on first use. Throws MESH_BOOTSTRAP_INVALID when the environment cannot
 * be used.
 */
export function defaultMesh(): Mesh {
  const scope = globalThis as Global;
  scope[DEFAULT] ??= createMesh();
  return scope[DEFAULT];
}

function forget(mesh: Mesh): void {
  const scope = globalThis as Global;
  if (scope[DEFAULT] === mesh) scope[DEFAULT] = undefined;
}
