import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { defaultOf } from '../defaults.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import type { InboundChain, InboundListener } from '../model/inbound.ts';
import type { AppServer } from './app-server.ts';
import { asksTheSame, chooseChain, endsOf, needsNoLook, type Offer } from './chain.ts';
import type { GuardedConnection } from './connection.ts';
import { readFirstBytes } from './first-bytes.ts';
import type { PortPolicy } from './port-policy.ts';
import { isHttp2, Terminator } from './terminator.ts';

/** Why a connection was not taken; for metrics. */
export type DoorReason =
  | 'too-many'
  | 'not-serving'
  | 'first-bytes'
  | 'no-chain'
  | 'no-identity'
  | 'peer'
  | 'protocol'
  | 'flood';

export interface DoorParts {
  readonly side: ServerSide;
  readonly app: AppServer;
  readonly policy: PortPolicy;
  /** Served in plain whatever the mode: what probes ask for. */
  readonly plainPaths: ReadonlySet<string>;
  /** To the application's server, as Node itself would have. */
  emit(event: 'connection' | 'secureConnection', socket: Socket): void;
  /** A request for one of the plain paths. */
  probe(request: IncomingMessage, response: ServerResponse): void;
  refused(reason: DoorReason, message: string, remoteAddress: string | undefined): void;
}

/** Takes accepted connections to where they belong: TLS of the mesh, TLS of the application's own, plain text, or out. */
export class Door {
  readonly #parts: DoorParts;
  #terminator: Promise<Terminator> | undefined;
  #probes: HttpServer | undefined;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  /** Waits until it is known how connections are taken. */
  accept(connection: GuardedConnection): void {
    const { socket } = connection;
    const { policy } = this.#parts;
    const taken = policy.whenKnown((listener) => {
      if (listener !== undefined) this.#look(connection, listener);
      else this.refuse(connection, 'not-serving', `nobody is served: ${policy.refusal ?? ''}`);
    });
    if (taken === undefined) this.refuse(connection, 'too-many', 'too many connections wait for the configuration');
    else socket.once('close', taken);
  }

  refuse(connection: GuardedConnection, reason: DoorReason, message: string): void {
    const { remoteAddress } = connection.socket;
    connection.destroy();
    this.#parts.refused(reason, message, remoteAddress);
  }

  close(): void {
    this.#probes?.close();
  }

  #look(connection: GuardedConnection, listener: InboundListener): void {
    const { socket } = connection;
    if (socket.destroyed) return;
    const ends = endsOf(socket);
    if (needsNoLook(listener)) {
      this.#choose(connection, { transport: this.#parts.app.isSecure ? 'tls' : 'raw_buffer', alpn: [], ends });
      return;
    }
    const limits = { timeoutMs: defaultOf('guardFirstBytesMs'), longestHello: defaultOf('guardHelloBytes') };
    readFirstBytes(socket, this.#parts.side.clock, limits, (found) => {
      if ('left' in found) connection.destroy();
      else if ('refused' in found) this.refuse(connection, 'first-bytes', found.refused);
      else if (found.transport === 'tls') this.#choose(connection, { transport: 'tls', alpn: found.hello.alpn, ends });
      else this.#choose(connection, { transport: 'raw_buffer', alpn: [], ends });
    });
  }

  /** By the configuration of now: it may have changed while the first bytes were waited for. */
  #choose(connection: GuardedConnection, offer: Offer): void {
    const chain = this.#chainFor(offer);
    connection.offer = offer;
    connection.chain = chain;
    // Under STRICT the one chain matches whatever comes, and its TLS would fail.
    if (chain === undefined || (chain.tls !== undefined && offer.transport === 'raw_buffer'))
      this.#unwanted(connection, offer);
    else if (chain.tls !== undefined)
      this.#terminate(connection, chain.tls).catch((error: unknown) =>
        this.refuse(connection, 'no-identity', String(error)),
      );
    else if (offer.transport === 'tls' && !this.#parts.app.isSecure) {
      this.refuse(connection, 'no-chain', 'TLS that is not of the mesh, and the application ends none itself');
    } else this.#plain(connection);
  }

  #chainFor(offer: Offer): InboundChain | undefined {
    const { app, policy } = this.#parts;
    return policy.current && chooseChain(policy.current, offer, app.onlyMeshTls);
  }

  /** As it came, to the application: plain text, or its own TLS. */
  #plain(connection: GuardedConnection): void {
    connection.taken = connection.offer?.transport === 'tls' ? 'own-tls' : 'plain';
    connection.begin();
    this.#parts.emit('connection', connection.socket);
  }

  #unwanted(connection: GuardedConnection, { transport, alpn }: Offer): void {
    const { plainPaths } = this.#parts;
    if (transport === 'raw_buffer' && plainPaths.size > 0) {
      connection.taken = 'probe';
      connection.begin();
      this.#probeServer().emit('connection', connection.socket);
      return;
    }
    const offered = alpn.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 64)));
    const what = transport === 'tls' ? `TLS that offers ${offered.join(', ') || 'no protocol'}` : 'plain text';
    this.refuse(connection, 'no-chain', `${what} is not taken here`);
  }

  async #terminate(connection: GuardedConnection, tls: Parameters<Terminator['accept']>[1]): Promise<void> {
    this.#terminator ??= this.#createTerminator();
    const terminator = await this.#terminator;
    if (connection.socket.destroyed) return;
    const missing = terminator.accept(connection, tls);
    if (missing !== undefined)
      this.refuse(connection, 'no-identity', `there is nothing to answer TLS with: ${missing}`);
  }

  async #createTerminator(): Promise<Terminator> {
    const { side, app, refused } = this.#parts;
    return new Terminator({
      contexts: await side.tls(),
      spoken: app.spoken,
      taken: (connection, socket) => this.#secured(connection, socket),
      refused: (error, remoteAddress) => {
        refused(error.code === 'MESH_PEER_REFUSED' ? 'peer' : 'protocol', error.message, remoteAddress);
      },
    });
  }

  #secured(connection: GuardedConnection, socket: TLSSocket): void {
    const { app, emit } = this.#parts;
    const { offer, chain: { tls } = {} } = connection;
    // The configuration may have changed during the handshake; its routes and faults are those of now.
    const now = offer && this.#chainFor(offer);
    if (now?.tls === undefined || !asksTheSame(tls, now.tls)) {
      this.refuse(connection, 'no-chain', 'TLS is not taken here any more, or not of everyone who was');
      return;
    }
    connection.chain = now;
    connection.taken = 'mutual-tls';
    connection.begin();
    // Node's servers tell the protocols apart by the names of HTTP.
    socket.alpnProtocol = isHttp2(socket, app.spoken) ? 'h2' : 'http/1.1';
    emit(app.isSecure ? 'secureConnection' : 'connection', socket);
  }

  #probeServer(): HttpServer {
    if (this.#probes !== undefined) return this.#probes;
    const { plainPaths, probe } = this.#parts;
    const server = createServer((request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead && plainPaths.has(path)) probe(request, response);
      else response.writeHead(403, { connection: 'close' }).end('this port takes mutual TLS\n');
    });
    // It never listens; Node begins to time its requests when a server does.
    server.emit('listening');
    this.#probes = server;
    return server;
  }
}
