import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { holdProcess, systemRandom, systemTurn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import { Announcement } from './announcement.ts';
import { type AppServer, addressOf, askedAddress, listening, type NodeServer, stopListening } from './app-server.ts';
import { acceptsMutualTls, needsIdentity } from './chain.ts';
import { Connections, connectionOf, tag } from './connections.ts';
import { Door, type DoorReason } from './door.ts';
import type { Guarded, GuardStats } from './guarded.ts';
import { intercept } from './intercept.ts';
import { harden, hintIdleTime } from './node-limits.ts';
import type { GuardOptions } from './options.ts';
import { type OwnPorts, openOwnPorts } from './own-ports.ts';
import { PortPolicy } from './port-policy.ts';
import type { RequestPolicy } from './request-policy.ts';
import { Requests } from './requests.ts';
import { Serving } from './serving.ts';
import { onSignals } from './shutdown.ts';
import { rawOf } from './terminator.ts';

/** One server behind the door: what listens, what is asked of the control plane for it, and its end. */
export class GuardedServer implements Guarded {
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
  readonly #serving: Serving;
  readonly #refused = new Map<DoorReason, number>();
  readonly #stops: (() => void)[] = [];
  readonly #pass: (event: string, ...args: unknown[]) => boolean;
  #requestPolicy: RequestPolicy | undefined;
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
    this.#connections = connections;
    this.#announcement = new Announcement(side, options);
    this.#serving = new Serving(options, side.emit);
    const fallback = options.fallback ?? (side.isOn ? 'STRICT' : 'DISABLE');
    const timeoutMs = options.configTimeoutMs ?? defaultOf('configTimeoutMs');
    this.#timeoutMs = timeoutMs;
    const prepare = () => this.#loadPolicy();
    this.#policy = new PortPolicy(side, { fallback, timeoutMs, prepare }, () => this.#follow());
    this.#requests = new Requests({
      connections,
      clock,
      propagate: options.propagate,
      isGrpc: app.grpc !== undefined,
      policy: () => this.#requestPolicy,
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
        this.#tell();
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
    const listener = await this.#policy.served();
    const identity = acceptsMutualTls(listener) ? this.#side.identityReady(this.#timeoutMs) : undefined;
    // Where plain text is taken too, there may be none.
    await (needsIdentity(listener) ? identity : identity?.catch(noop));
    this.#isReady = true;
    this.#announce();
    this.#tell();
  }

  unready(): string | undefined {
    if (this.#closing !== undefined) return 'closing';
    const { current: listener, refusal } = this.#policy;
    if (refusal !== undefined) return `the listener of the port is refused: ${refusal}`;
    if (!this.server.listening) return 'not listening';
    if (listener === undefined) return 'the control plane has not answered';
    if (needsIdentity(listener) && !this.#side.hasIdentity()) return 'no identity';
    return this.#isReady ? undefined : 'starting';
  }

  onServingChange(listener: () => void): () => void {
    return this.#serving.watch(listener);
  }

  stats(): GuardStats {
    const { size: connections, active: requests } = this.#connections;
    return { connections, requests, refused: Object.fromEntries(this.#refused) };
  }

  close({ delayMs = 0, graceMs = defaultOf('guardGraceMs') } = {}): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#close(delayMs, graceMs);
      this.#tell();
    }
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
    this.#tell();
  }

  async #close(delayMs: number, graceMs: number): Promise<void> {
    this.#requests.isClosing = true;
    this.#announcement.withdraw();
    if (delayMs > 0) await new Promise<void>((resolve) => this.#side.clock.after(delayMs, resolve));
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) stopListening(this.server, resolve);
      else resolve();
    });
    await this.#connections.drain(graceMs);
    await closed;
    this.#app.grpc?.forceShutdown();
    this.#gone();
  }

  #gone(): void {
    this.#closing ??= Promise.resolve();
    this.#tell();
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
      this.#tell();
      return;
    }
    this.#policy.start(askedAddress(at.address), at.port);
    this.ready().catch((error: unknown) => {
      if (this.#closing !== undefined) return;
      const message = `the server on port ${at.port} is not ready: ${error instanceof Error ? error.message : String(error)}`;
      this.#side.emit({ kind: 'warning', message });
      if (error instanceof MeshError) this.#serving.fails(error.code, error.message);
    });
    this.#announce();
  }

  /** With all that routes are made of: not before there is a control plane to be asked. */
  async #loadPolicy(): Promise<void> {
    const { RequestPolicy } = await import('./request-policy.ts');
    const isGrpc = this.#app.grpc !== undefined;
    this.#requestPolicy = new RequestPolicy({ clock: this.#side.clock, random: systemRandom, isGrpc });
  }

  #follow(): void {
    const listener = this.#policy.current;
    if (listener === undefined) this.#connections.expel();
    else {
      this.#requestPolicy?.prepare(listener);
      this.#connections.follow(listener);
      hintIdleTime(this.server, listener);
      // A source costs nothing until somebody wants to know who we are.
      if (acceptsMutualTls(listener)) this.#side.identityReady(this.#timeoutMs).catch(noop);
    }
    this.#announce();
    this.#tell();
  }

  /** The wait at the start is no news; a refusal is, and whatever ends the serving. */
  #tell(): void {
    const why = this.unready();
    const { refusal, current } = this.#policy;
    if (why === undefined) this.#serving.serves();
    else if (refusal !== undefined) this.#serving.fails('MESH_CONFIG_INVALID', why);
    else if (this.#serving.hasServed) {
      const isUnknown = current !== undefined && needsIdentity(current) && !this.#side.hasIdentity();
      this.#serving.fails(
        isUnknown && this.#closing === undefined ? 'MESH_IDENTITY_UNAVAILABLE' : 'MESH_NOT_READY',
        why,
      );
    }
  }

  #announce(): void {
    const port = addressOf(this.server)?.port;
    if (port === undefined || this.#closing !== undefined) return;
    if (this.#policy.refusal === undefined) this.#announcement.follow(this.#policy.current, port);
    else this.#announcement.withdraw();
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
