import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import { type PropagateMiddleware, type PropagateOptions, propagate } from '../propagation/propagate.ts';
import type { GuardedConnection } from './connection.ts';
import { type Connections, connectionOf } from './connections.ts';
import { SessionWatch } from './http2-session.ts';
import { inboundRequest } from './inbound-request.ts';
import { isOpen } from './open-requests.ts';
import { OVERFLOW, type Refusal, refuseRequest, refuseStream } from './refusals.ts';
import { cleanRequest, cleanStreamHeaders, type HeaderRule } from './request-headers.ts';
import type { RequestPolicy } from './request-policy.ts';

/** Given to the application as if nothing had been in between. */
type Pass = () => unknown;

/** Nothing is proven, and whatever is said of certificates is removed. */
const PLAIN_RULE: HeaderRule = { isProven: false, clientCertificate: () => undefined };

interface Watched {
  readonly connection: GuardedConnection;
  readonly watch: SessionWatch;
}

type StreamHead = Partial<Record<':method' | ':path' | ':authority' | 'host', string>>;

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
  /** Loaded by the time there is a listener that asks for it. */
  policy(): Judge | undefined;
}

/** What `request-policy.ts` has, which is not loaded before a listener needs it. */
type Judge = Pick<RequestPolicy, 'judge'>;

/** A request on its way to the application. */
interface Arriving {
  readonly connection: GuardedConnection | undefined;
  readonly head: Omit<Parameters<typeof inboundRequest>[0], 'scheme'>;
  pass(): unknown;
  refuse(refusal: Refusal): void;
  onEnd(end: () => void): void;
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
    const refuse = (refusal: Refusal): void => {
      if (!response.destroyed) refuseRequest(request.headers, response, refusal);
    };
    if (isAdmitted) {
      const { method, url: path, rawHeaders } = request;
      this.#judge({
        connection,
        head: { method, authority: request.headers.host, path, rawHeaders },
        pass: () => this.#run(request, pass),
        refuse,
        onEnd: (end) => response.once('close', end),
      });
    } else refuse(OVERFLOW);
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
    const refuse = (refusal: Refusal): void => refuseStream(headers, stream, refusal);
    if (isAdmitted) {
      const { ':method': method, ':path': path, ':authority': authority = headers.host } = headers as StreamHead;
      const enter = this.#parts.isGrpc ? inContext(stream, pass) : pass;
      this.#judge({
        connection,
        head: { method, authority, path, rawHeaders },
        pass: () => this.#run({ headers, socket: connection?.socket }, enter),
        refuse,
        onEnd: (end) => stream.once('close', end),
      });
    } else refuse(OVERFLOW);
  }

  /** Routes and faults of the listener, by the chain that took the connection, as it is now. */
  #judge({ connection, head, pass, refuse, onEnd }: Arriving): void {
    const requests = connection?.chain?.requests;
    const policy = this.#parts.policy();
    if (requests === undefined || policy === undefined || isOpen(requests, this.#parts.isGrpc)) {
      pass();
      return;
    }
    let isOver = false;
    const request = inboundRequest({ ...head, scheme: connection?.secured === undefined ? 'http' : 'https' });
    const end = policy.judge(requests, request, {
      pass: () => {
        if (!isOver) pass();
      },
      refuse: (refusal) => {
        if (!isOver) refuse(refusal);
      },
    });
    onEnd(() => {
      isOver = true;
      end();
    });
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
