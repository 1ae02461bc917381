import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import { type PropagateMiddleware, type PropagateOptions, propagate } from '../propagation/propagate.ts';
import type { GuardedConnection } from './connection.ts';
import { type Connections, connectionOf } from './connections.ts';
import { SessionWatch } from './http2-session.ts';
import { answerOverflow, answerStreamOverflow } from './refusals.ts';
import { cleanRequest, cleanStreamHeaders, type HeaderRule } from './request-headers.ts';

/** Given to the application as if nothing had been in between. */
type Pass = () => unknown;

/** Nothing is proven, and whatever is said of certificates is removed. */
const PLAIN_RULE: HeaderRule = { isProven: false, clientCertificate: () => undefined };

interface Watched {
  readonly connection: GuardedConnection;
  readonly watch: SessionWatch;
}

interface Asking {
  readonly headers: IncomingHttpHeaders;
  readonly socket?: { readonly remoteAddress?: string | undefined } | undefined;
}

export interface RequestsParts {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly propagate: PropagateOptions | false | undefined;
  /** Its handlers run when a message has come: by an event of the stream, not within the one that announces it. */
  readonly isGrpc: boolean;
  calmed(connection: GuardedConnection, why: string): void;
}

/** What happens to each request between its connection and the application. */
export class Requests {
  readonly #parts: RequestsParts;
  readonly #propagate: PropagateMiddleware | undefined;
  readonly #sessions = new WeakMap<object, Watched>();
  readonly #seen = new WeakSet<IncomingMessage>();
  /** The server is on its way out: no connection is kept for another request. */
  isClosing = false;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
    this.#propagate = parts.propagate === false ? undefined : propagate(parts.propagate);
  }

  /** HTTP/1.1. An application may send a request round again, as it does after checkContinue: it counts once. */
  request(request: IncomingMessage, response: ServerResponse, pass: Pass): void {
    if (this.#seen.has(request)) {
      pass();
      return;
    }
    this.#seen.add(request);
    const connection = connectionOf(request.socket);
    cleanRequest(request, connection?.rule ?? PLAIN_RULE);
    connection?.requestBegan(response);
    if (this.isClosing) response.shouldKeepAlive = false;
    const isAdmitted = this.#admit();
    response.once('close', () => {
      connection?.requestEnded(response);
      if (isAdmitted) this.#parts.connections.active--;
    });
    if (isAdmitted) this.#run(request, pass);
    else answerOverflow(request.headers, response);
  }

  /** A connection that becomes something else, as a WebSocket does: one request for as long as it stands. */
  upgrade(request: IncomingMessage, socket: Duplex, pass: Pass): void {
    const connection = connectionOf(socket);
    cleanRequest(request, connection?.rule ?? PLAIN_RULE);
    connection?.requestBegan();
    if (!this.#admit()) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nx-envoy-overloaded: true\r\n\r\n');
      return;
    }
    socket.once('close', () => {
      this.#parts.connections.active--;
    });
    this.#run(request, pass);
  }

  session(session: ServerHttp2Session): void {
    const connection = connectionOf(session.socket);
    if (connection === undefined) return;
    connection.session = session;
    const { clock, calmed } = this.#parts;
    const watch = new SessionWatch(connection, session, clock, (why) => calmed(connection, why));
    this.#sessions.set(session, { connection, watch });
    if (connection.isDraining || this.isClosing) session.close();
  }

  /** HTTP/2, the compatibility API as well: its request is made of what is cleaned here. */
  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[], pass: Pass): void {
    const { connection, watch } = (stream.session && this.#sessions.get(stream.session)) ?? {};
    if (watch?.opened(stream) === false) return;
    cleanStreamHeaders(headers, rawHeaders, connection?.rule ?? PLAIN_RULE);
    connection?.requestBegan();
    const isAdmitted = this.#admit();
    stream.once('close', () => {
      connection?.requestEnded();
      if (isAdmitted) this.#parts.connections.active--;
    });
    if (isAdmitted)
      this.#run({ headers, socket: connection?.socket }, this.#parts.isGrpc ? inContext(stream, pass) : pass);
    else answerStreamOverflow(headers, stream);
  }

  /** Sidecar.inboundConnectionPool.http.http2MaxRequests: of both protocols together. */
  #admit(): boolean {
    const { connections } = this.#parts;
    const { maxRequests } = connections.limits;
    if (maxRequests !== undefined && connections.active >= maxRequests) return false;
    connections.active++;
    return true;
  }

  #run({ headers, socket }: Asking, pass: Pass): void {
    if (this.#propagate === undefined) pass();
    else this.#propagate({ headers, ...(socket && { socket }) }, undefined, pass);
  }
}

/** Whatever the stream tells from now on is heard in the context it was opened in. */
const inContext =
  (stream: ServerHttp2Stream, pass: Pass): Pass =>
  () => {
    const run = AsyncLocalStorage.snapshot();
    const { emit } = stream;
    stream.emit = (event: string | symbol, ...args: unknown[]): boolean =>
      run(() => Reflect.apply(emit, stream, [event, ...args]) as boolean);
    pass();
  };
