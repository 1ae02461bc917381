import type { Socket } from 'node:net';
import { addressText } from '../balancer/hash-key.ts';
import type { ConnectFailure } from '../connection/connect-failure.ts';
import { peerOf } from '../connection/peers.ts';
import { secureFor } from '../connection/secure-transports.ts';
import { tlsToEndpoint } from '../connection/tls.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { isLoopback } from '../http/dialled.ts';
import type { Cluster } from '../model/cluster.ts';
import type { Breaker } from '../upstream/breaker.ts';
import type { Pick } from '../upstream/pick.ts';
import type { PickContext } from '../upstream/types.ts';
import { type ConnectOptions, type Destination, destinationOf } from './destination.ts';
import { dialHost, isFailure } from './dial-host.ts';
import { connectError, flagOf } from './failure.ts';
import type { ConnectRuntime } from './runtime.ts';
import { LiveConnectionStory } from './story.ts';
import { settledState } from './wait.ts';
import { type ConnectionTerms, watchConnection } from './watch.ts';
import { type ConnectionWay, connectionWay, pickContextOf } from './way.ts';

type Upward = Extract<ConnectionWay, { readonly kind: 'upstream' }>;

const NO_TERMS: ConnectionTerms = { idleMs: 0, maxDurationMs: undefined };

/** See `Mesh.connect`. */
export async function connect(runtime: ConnectRuntime, options: ConnectOptions): Promise<Socket> {
  const destination = destinationOf(options);
  options.signal?.throwIfAborted();
  return new Connecting(runtime, destination, options.signal).run();
}

/** From a name to an established connection. */
class Connecting {
  readonly #runtime: ConnectRuntime;
  readonly #destination: Destination;
  readonly #signal: AbortSignal | undefined;
  readonly #story: LiveConnectionStory;
  /** Why a host that was tried could not be trusted. */
  #refusal: ConnectFailure | undefined;

  constructor(runtime: ConnectRuntime, destination: Destination, signal: AbortSignal | undefined) {
    this.#runtime = runtime;
    this.#destination = destination;
    this.#signal = signal;
    this.#story = new LiveConnectionStory(destination.target, runtime.clock.now());
  }

  async run(): Promise<Socket> {
    try {
      return await this.#find();
    } catch (error) {
      if (this.#signal?.aborted) this.#story.raise('DC');
      this.#finish();
      throw error;
    }
  }

  async #find(): Promise<Socket> {
    const { target, host } = this.#destination;
    if (isLoopback(host)) return this.#passThrough();
    const state = await settledState(this.#runtime, target, this.#signal);
    const story = this.#story;
    if (state.kind === 'absent') return this.#outside(`it is not in the registry (${state.reason})`);
    if (state.kind !== 'ready') {
      const what = state.kind === 'failed' ? state.reason : 'no configuration has come';
      throw connectError(story, 'MESH_NOT_READY', what, { flag: 'NC' });
    }
    const way = connectionWay(state.value, this.#destination, this.#runtime.random);
    switch (way.kind) {
      case 'upstream':
        return this.#reach(way);
      case 'no-cluster':
        story.cluster = way.cluster;
        throw connectError(story, 'MESH_NO_CLUSTER', way.reason, { flag: 'NC' });
      case 'no-chain':
        return this.#outside('no route takes such a connection');
      case 'blocked':
        return this.#refuse('it is not in the registry');
      case 'http':
        throw connectError(story, 'MESH_NO_ROUTE', 'the port speaks HTTP, whose requests are routed one by one', {
          flag: 'NR',
          hint: "use mesh.fetch, or declare the port's protocol as TCP",
        });
    }
  }

  /** As a sidecar: through under ALLOW_ANY. */
  #outside(why: string): Promise<Socket> {
    return this.#runtime.outboundPolicy === 'ALLOW_ANY' ? this.#passThrough() : this.#refuse(why);
  }

  #refuse(why: string): never {
    this.#story.cluster = 'BlackHoleCluster';
    const { emit } = this.#runtime;
    emit({ kind: 'passthrough', host: this.#destination.host, cluster: 'BlackHoleCluster' });
    throw connectError(this.#story, 'MESH_BLOCKED', `${why}, and the outbound policy is REGISTRY_ONLY`);
  }

  async #passThrough(): Promise<Socket> {
    const { host, port } = this.#destination;
    this.#story.cluster = 'PassthroughCluster';
    this.#runtime.emit({ kind: 'passthrough', host, cluster: 'PassthroughCluster' });
    const target = { address: host, port, tls: undefined, timeoutMs: defaultOf('connectTimeoutMs') };
    const result = await this.#dial(target);
    if (isFailure(result)) throw this.#failed(result);
    return this.#establish(result, NO_TERMS, () => {});
  }

  async #reach({ chain, upstream }: Upward): Promise<Socket> {
    const story = this.#story;
    story.route = chain.configPath ?? '';
    story.cluster = upstream.name;
    const tried = new Set<unknown>();
    const context: PickContext = {
      ...pickContextOf(chain, upstream, this.#destination, this.#runtime),
      exclude: (host) => tried.has(host),
      // Another host is worth looking for: each try may take as long as the connect timeout.
      selectionAttempts: 2 * chain.connectAttempts,
    };
    for (let left = chain.connectAttempts; ; left--) {
      const serving = upstream.serving(this.#runtime.random);
      const { cluster } = serving.config();
      const breaker = serving.breaker('default');
      const pick = this.#admit(breaker, cluster, () => serving.pick(context));
      tried.add(pick.host);
      const result = await this.#try(pick, cluster, breaker);
      if (!isFailure(result)) {
        const terms = { idleMs: chain.idleTimeoutMs, maxDurationMs: chain.maxDurationMs };
        return this.#establish(result, terms, () => {
          breaker.giveConnection();
          pick.release();
        });
      }
      if (left > 1) continue;
      const error = this.#failed(result);
      // Envoy TcpProxy, upstream_cx_connect_attempts_exceeded: also where one attempt is all there may be.
      story.raise('URX');
      throw error;
    }
  }

  /**
   * A host and room for one more connection to it. At the limit a connection is refused at once: none of those there are will
   * be handed on (Envoy TcpProxy::establishUpstreamConnection).
   */
  #admit(breaker: Breaker, { name }: Cluster, choose: () => ReturnType<Upward['upstream']['pick']>): Pick {
    const story = this.#story;
    if (!breaker.takeConnection(false)) {
      throw connectError(story, 'MESH_OVERFLOW', `${name} has as many connections as it may have`, { flag: 'UO' });
    }
    const pick = choose();
    if (pick.kind === 'failure') {
      breaker.giveConnection();
      const code = pick.flag === 'UO' ? 'MESH_OVERFLOW' : 'MESH_NO_HEALTHY_UPSTREAM';
      throw connectError(story, code, pick.reason, { flag: pick.flag });
    }
    const hasRoom = pick.host.active <= breaker.maxConnectionsPerHost;
    if (hasRoom && breaker.takePending()) return pick;
    breaker.giveConnection();
    pick.outcome({ error: 'overflow' });
    pick.release();
    throw connectError(
      story,
      'MESH_OVERFLOW',
      hasRoom
        ? `as many connections to ${name} are being made as may be`
        : `${addressText(pick.host)} has as many connections as one host may have`,
      {
        flag: 'UO',
      },
    );
  }

  /** One host. Whatever ends the dial, only an established connection keeps what was taken for it. */
  async #try(pick: Pick, cluster: Cluster, breaker: Breaker): Promise<Socket | ConnectFailure> {
    const { address, port } = pick.host;
    const timeoutMs = cluster.connectTimeoutMs > 0 ? cluster.connectTimeoutMs : defaultOf('connectTimeoutMs');
    let result: Socket | ConnectFailure | undefined;
    try {
      const { addresses } = pick.endpoint;
      const target = tlsToEndpoint(cluster, pick.host.endpoint, this.#destination.host);
      // A peer that could not be taken for true is never a reason to go out in clear.
      const tls =
        (target === undefined ? this.#refusal : undefined) ?? (await secureFor(this.#runtime.secure(), target, 'tcp'));
      const keepAliveMs = cluster.tcpKeepAlive?.timeMs;
      result = isFailure(tls)
        ? this.#untried(pick.host, tls)
        : await this.#dial({ address, port, addresses, tls, timeoutMs, keepAliveMs });
      if (isFailure(result) && result.cause instanceof MeshError) this.#refusal = result;
      if (isFailure(result)) pick.outcome({ error: result.kind === 'timeout' ? 'timeout' : 'connect' });
      else pick.connected(true);
      return result;
    } finally {
      breaker.givePending();
      if (result === undefined || isFailure(result)) {
        breaker.giveConnection();
        pick.release();
      }
    }
  }

  #untried(host: Parameters<typeof addressText>[0], failure: ConnectFailure): ConnectFailure {
    const nowMs = this.#runtime.clock.now();
    this.#story.tried(addressText(host), nowMs, nowMs, flagOf(failure));
    return failure;
  }

  async #dial(target: Parameters<typeof dialHost>[0]): Promise<Socket | ConnectFailure> {
    const { clock } = this.#runtime;
    const startMs = clock.now();
    const result = await dialHost(target, this.#runtime, this.#signal);
    const endpoint = addressText(target);
    if (isFailure(result)) this.#story.tried(endpoint, startMs, clock.now(), flagOf(result));
    else this.#story.tried(endpoint, startMs, clock.now());
    return result;
  }

  #failed(failure: ConnectFailure): Error {
    const what = `${this.#story.endpoint}: ${failure.message}`;
    const { cause } = failure;
    // What is wrong with our identity, or with the peer's, has a code of its own.
    if (cause instanceof MeshError) return connectError(this.#story, cause.code, what, { flag: 'UF', cause });
    return connectError(this.#story, 'MESH_CONNECT_FAILED', what, { flag: flagOf(failure), cause: failure });
  }

  #establish(socket: Socket, terms: ConnectionTerms, release: () => void): Socket {
    const { clock } = this.#runtime;
    this.#story.timings.connectedMs = clock.now();
    this.#story.peer = peerOf(socket);
    const ended = (): void => {
      release();
      this.#finish();
    };
    watchConnection(socket, terms, { clock, story: this.#story, ended });
    return socket;
  }

  #finish(): void {
    this.#story.timings.endMs = this.#runtime.clock.now();
    this.#runtime.emit({ kind: 'connection', story: this.#story });
  }
}
