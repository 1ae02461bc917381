import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { holdProcess, systemTurn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { SERVER_SIDE, type ServerSide, type WithServerSide } from '../mesh/server-side.ts';
import { defaultMesh } from '../mesh.ts';
import type { InboundListener } from '../model/inbound.ts';
import { Announcement } from './announcement.ts';
import {
  type AppServer,
  addressOf,
  appServerOf,
  askedAddress,
  type Guardable,
  listening,
  type NodeServer,
} from './app-server.ts';
import { acceptsMutualTls, needsIdentity } from './chain.ts';
import { Connections, connectionOf, tag } from './connections.ts';
import { Door, type DoorReason } from './door.ts';
import { takeOver } from './grpc-server.ts';
import { intercept } from './intercept.ts';
import { harden, hintIdleTime } from './node-limits.ts';
import type { GuardOptions } from './options.ts';
import { type OwnPorts, openOwnPorts } from './own-ports.ts';
import { PortPolicy } from './port-policy.ts';
import { Requests } from './requests.ts';
import { onSignals } from './shutdown.ts';
import { rawOf } from './terminator.ts';

/** A server behind the mesh's door. */
export interface Guarded extends AsyncDisposable {
  /** The application's own server. */
  readonly server: NodeServer;
  /**
   * Waits until it is known how connections are taken, and for an identity where none could be taken without, then listens.
   * Rejects with MESH_IDENTITY_UNAVAILABLE, or as `listen` of Node's would.
   */
  listen(port?: number | ListenOptions): Promise<AddressInfo>;
  /** The same wait for a server that a framework lets listen. */
  ready(): Promise<void>;
  /** What `/healthz/ready` says: why it is not ready; undefined: it is. */
  unready(): string | undefined;
  /** Connections and requests of now, and how many connections were refused, by reason. */
  stats(): GuardStats;
  /** Not ready, out of the mesh, no new connections; what is under way may take `graceMs`. */
  close(options?: { readonly delayMs?: number; readonly graceMs?: number }): Promise<void>;
}

export interface GuardStats {
  readonly connections: number;
  readonly requests: number;
  readonly refused: Readonly<Partial<Record<DoorReason, number>>>;
}

/**
 * Puts a server into the mesh: mutual TLS with this workload's certificate as PeerAuthentication asks, the caller's identity on
 * each request (`peerOf`), headers that only the mesh may set taken off. The application goes on as it is. Call it before the
 * server listens, or in the same turn.
 *
 * @example
 * const guarded = guard(http.createServer(app), { service: 'reviews', version: 'v1' });
 * await guarded.listen(9080);
 */
export function guard(app: Guardable, options: GuardOptions = {}): Guarded {
  const mesh = options.mesh ?? defaultMesh();
  const side = (mesh as unknown as Partial<WithServerSide>)[SERVER_SIDE];
  if (side === undefined) throw new MeshError('MESH_CONFIG_INVALID', 'guard: `mesh` is no mesh of createMesh');
  return guardWith(side, app, options);
}

/** For tests as well: the mesh as values. */
export function guardWith(side: ServerSide, app: Guardable, options: GuardOptions): Guarded {
  if (GUARDED in app) throw guardedAlready();
  const appServer = appServerOf(app, options.credentials);
  const { server, grpc } = appServer;
  if (GUARDED in server) throw guardedAlready();
  for (const one of new Set([server, grpc ?? server])) Object.defineProperty(one, GUARDED, { value: true });
  const guarded = new Guard(side, appServer, options);
  if (grpc !== undefined) {
    const { credentials } = options;
    takeOver(grpc, { credentials, listen: (where) => guarded.listen(where), leave: () => guarded.leave() });
  }
  return guarded;
}

const guardedAlready = () => new MeshError('MESH_CONFIG_INVALID', 'guard: this server is guarded already');

const GUARDED: unique symbol = Symbol.for('inmesh.guarded.1') as never;

class Guard implements Guarded {
  readonly server: NodeServer;
  readonly #side: ServerSide;
  readonly #app: AppServer;
  readonly #options: GuardOptions;
  readonly #timeoutMs: number;
  readonly #connections: Connections;
  readonly #policy: PortPolicy;
  readonly #requests: Requests;
  readonly #door: Door;
  readonly #announcement: Announcement;
  readonly #refused = new Map<DoorReason, number>();
  readonly #stops: (() => void)[] = [];
  readonly #pass: (event: string, ...args: unknown[]) => boolean;
  #ports: OwnPorts | undefined;
  #isReady = false;
  #closing: Promise<void> | undefined;

  constructor(side: ServerSide, app: AppServer, options: GuardOptions) {
    const { server } = app;
    this.server = server;
    this.#side = side;
    this.#app = app;
    this.#options = options;
    const { clock } = side;
    const connections = new Connections(clock, systemTurn, app.onlyMeshTls);
    this.#announcement = new Announcement(side, options);
    this.#connections = connections;
    const fallback = options.fallback ?? (side.isOn ? 'STRICT' : 'DISABLE');
    const timeoutMs = options.configTimeoutMs ?? defaultOf('configTimeoutMs');
    this.#timeoutMs = timeoutMs;
    this.#policy = new PortPolicy(side, { fallback, timeoutMs }, (listener) => this.#follow(listener));
    this.#requests = new Requests({
      connections,
      clock,
      propagate: options.propagate,
      isGrpc: app.grpc !== undefined,
      calmed: (connection, why) => this.#door.refuse(connection, 'flood', why),
    });
    this.#pass = intercept(server, {
      connection: (socket) => this.#accept(socket),
      secureConnection: (socket) => this.#secured(socket),
      requests: this.#requests,
    });
    this.#door = new Door({
      side,
      app,
      policy: this.#policy,
      plainPaths: new Set(options.plainPaths ?? []),
      emit: (event, socket) => this.#pass(event, socket),
      probe: (request, response) => this.#ask(request, response),
      refused: (reason, message, remoteAddress) => this.#refuse(reason, message, remoteAddress),
    });
    harden(server);
    this.#stops.push(
      side.onIdentity(({ trust }) => {
        if (trust) connections.recheck((connection, why) => this.#door.refuse(connection, 'peer', why.message));
        this.#announce();
      }),
    );
    this.server.on('listening', () => this.#listening());
    if (server.listening) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      this.#listening();
    }
    this.server.once('close', () => this.#gone());
    this.#ports = openOwnPorts(options, {
      side,
      unready: () => this.unready(),
      ask: (request, response) => this.#ask(request, response),
      port: () => addressOf(this.server)?.port ?? options.port,
      failed: (message) => side.emit({ kind: 'warning', message }),
    });
    if (options.shutdown) this.#stops.push(onSignals(options.shutdown, (times) => this.close(times)));
  }

  async listen(where: number | ListenOptions = {}): Promise<AddressInfo> {
    const own = typeof where === 'number' ? { port: where } : where;
    const { port = this.#options.port ?? 0, host = this.#options.host } = own;
    await this.#app.prepare();
    // The control plane is asked for a port by its number.
    if (port !== 0) {
      this.#policy.start(askedAddress(host), port);
      await this.ready();
    }
    await listening(this.server, { ...own, port, ...(host !== undefined && { host }) });
    await this.ready();
    return addressOf(this.server) ?? { address: host ?? '', family: '', port };
  }

  async ready(): Promise<void> {
    // Nothing else may keep the process while it waits for the control plane.
    const hold = holdProcess();
    try {
      await this.#becomeReady();
    } finally {
      hold.cancel();
    }
  }

  async #becomeReady(): Promise<void> {
    const listener = await new Promise<InboundListener>((resolve, reject) => {
      if (this.#policy.whenKnown(resolve) === undefined) reject(new MeshError('MESH_NOT_READY', 'too many wait'));
    });
    const identity = acceptsMutualTls(listener) ? this.#side.identityReady(this.#timeoutMs) : undefined;
    // Where plain text is taken too, there may be none.
    await (needsIdentity(listener) ? identity : identity?.catch(noop));
    this.#isReady = true;
    this.#announce();
  }

  unready(): string | undefined {
    if (this.#closing !== undefined) return 'closing';
    if (!this.server.listening) return 'not listening';
    const listener = this.#policy.current;
    if (listener === undefined) return 'the control plane has not answered';
    if (needsIdentity(listener) && !this.#side.hasIdentity()) return 'no identity';
    return this.#isReady ? undefined : 'starting';
  }

  stats(): GuardStats {
    const { size: connections, active: requests } = this.#connections;
    return { connections, requests, refused: Object.fromEntries(this.#refused) };
  }

  close({ delayMs = 0, graceMs = defaultOf('guardGraceMs') } = {}): Promise<void> {
    this.#closing ??= this.#close(delayMs, graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The application closes its server itself. */
  leave(): void {
    this.#requests.isClosing = true;
    this.#closing ??= Promise.resolve();
    this.#announcement.withdraw();
  }

  async #close(delayMs: number, graceMs: number): Promise<void> {
    this.#requests.isClosing = true;
    this.#announcement.withdraw();
    if (delayMs > 0) await new Promise<void>((resolve) => this.#side.clock.after(delayMs, resolve));
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    await this.#connections.drain(graceMs);
    await closed;
    this.#app.grpc?.forceShutdown();
    this.#gone();
  }

  #gone(): void {
    this.#closing ??= Promise.resolve();
    this.#announcement.withdraw();
    for (const stop of this.#stops.splice(0)) stop();
    this.#policy.close();
    this.#door.close();
    this.#ports?.close();
    this.#ports = undefined;
  }

  #accept(socket: Socket): void {
    const connection = this.#connections.add(socket);
    if (connection !== undefined) {
      this.#door.accept(connection);
      return;
    }
    const { remoteAddress } = socket;
    socket.destroy();
    this.#refuse('too-many', 'there are as many connections as there may be', remoteAddress);
  }

  /** TLS of the application's own, on a connection that went through the door. */
  #secured(socket: Socket): void {
    const connection = connectionOf(rawOf(socket));
    if (connection !== undefined) tag(socket, connection);
  }

  #listening(): void {
    const at = addressOf(this.server);
    if (at === undefined) {
      // A unix socket: whoever can open it is on this machine, and PeerAuthentication speaks of ports.
      this.#policy.startLocal();
      this.#isReady = true;
      return;
    }
    this.#policy.start(askedAddress(at.address), at.port);
    this.ready().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#side.emit({ kind: 'warning', message: `the server on port ${at.port} is not ready: ${message}` });
    });
    this.#announce();
  }

  #follow(listener: InboundListener): void {
    this.#connections.follow(listener);
    hintIdleTime(this.server, listener);
    // A source costs nothing until somebody wants to know who we are.
    if (acceptsMutualTls(listener)) this.#side.identityReady(this.#timeoutMs).catch(noop);
    this.#announce();
  }

  #announce(): void {
    const port = addressOf(this.server)?.port;
    if (port !== undefined && this.#closing === undefined) this.#announcement.follow(this.#policy.current, port);
  }

  #ask(request: Parameters<Requests['request']>[0], response: Parameters<Requests['request']>[1]): void {
    const pass = (): unknown => this.#pass('request', request, response);
    if (this.server.listenerCount('request') > 0) this.#requests.request(request, response, pass);
    else response.writeHead(404).end();
  }

  #refuse(reason: DoorReason, message: string, remoteAddress: string | undefined): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    this.#side.emit({
      kind: 'inbound-refused',
      reason,
      message,
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
  }
}

const noop = (): void => {};
