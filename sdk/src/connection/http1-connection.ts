import type { Socket } from 'node:net';
import { defaultOf } from '../defaults.ts';
import { type Connection, type ConnectionHome, type PooledConnection, UNLIMITED } from './connection.ts';
import { flattenHeaders, type ParsedHeaders, type RequestHandler, type WireRequest } from './exchange.ts';
import type { Http1Client } from './http1-client.ts';
import { peerOf } from './peers.ts';

/** Methods with which undici keeps the connection after a request with a body; after a HEAD it never does. */
const TAKES_BODY: ReadonlySet<string> = new Set(['PUT', 'POST', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH']);

const FOREIGN_IDLE_MS = defaultOf('foreignIdleMs');
const HINTED_MAX_MS = defaultOf('hintedIdleMaxMs');
const MARGIN_MS = defaultOf('keepAliveMarginMs');

export interface Http1ConnectionParts {
  readonly socket: Socket;
  readonly client: Http1Client;
  readonly home: ConnectionHome;
  /** `address:port` */
  readonly endpoint: string;
  readonly nowMs: number;
}

/** One HTTP/1.1 connection: it carries one request at a time. */
export class Http1Connection implements Connection, PooledConnection {
  readonly endpoint: string;
  readonly capacity = 1;
  isReady = false;
  hasRoom = true;
  readonly #socket: Socket;
  readonly #client: Http1Client;
  readonly #home: ConnectionHome;
  readonly #openedMs: number;
  #requests = 0;
  #idleSinceMs: number;
  /** The peer's Keep-Alive hint: `timeout` in ms. */
  #hintMs: number | undefined;
  #hint: string | undefined;
  #wasIdle = false;
  /** It will be closed after the present request, by the peer or by undici. */
  #isLast = false;
  #isClosed = false;

  constructor({ socket, client, home, endpoint, nowMs }: Http1ConnectionParts) {
    this.endpoint = endpoint;
    this.#socket = socket;
    this.#client = client;
    this.#home = home;
    this.#openedMs = nowMs;
    this.#idleSinceMs = nowMs;
    socket.once('close', () => {
      this.#isClosed = true;
      home.closed(this);
    });
    // Until the first request undici is not listening; without a reader nobody would notice that the peer has closed.
    socket.on('readable', this.#onStray);
  }

  /** The peer may have closed it in the meantime (keep-alive race). */
  get isReused(): boolean {
    return this.#wasIdle || this.#requests > 0;
  }

  get peer(): string | undefined {
    return peerOf(this.#socket);
  }

  lease(): Connection {
    this.hasRoom = false;
    return this;
  }

  dispatch(request: WireRequest, handler: RequestHandler): void {
    if (this.#requests++ === 0) {
      this.#socket.off('readable', this.#onStray);
      // undici takes a new socket for a ref'd one; from here on it refs and unrefs with its requests.
      this.#socket.ref();
    }
    if (request.method === 'HEAD' || (request.body !== null && !TAKES_BODY.has(request.method))) this.#isLast = true;
    this.#client.dispatch(request, handler);
  }

  readHead(headers: ParsedHeaders): string[] {
    const flat = flattenHeaders(headers);
    const { connection, 'keep-alive': hint } = headers;
    if (connection !== undefined && connection !== 'keep-alive' && /\bclose\b/i.test(String(connection)))
      this.#isLast = true;
    if (hint !== this.#hint && typeof hint === 'string') {
      this.#hint = hint;
      const seconds = /(?:^|,)\s*timeout=(\d+)/i.exec(hint)?.[1];
      this.#hintMs = seconds === undefined ? undefined : Number(seconds) * 1_000;
    }
    return flat;
  }

  /** Back to the pool, unless the connection has had its day. */
  release(nowMs: number): void {
    if (this.#isClosed) return;
    const { maxRequests } = this.#home.limits;
    this.#idleSinceMs = nowMs;
    if (this.#isLast || (maxRequests !== undefined && this.#requests >= maxRequests) || !this.isUsable(nowMs))
      this.close();
    else {
      this.hasRoom = true;
      this.#home.returned(this);
    }
  }

  isUsable(nowMs: number): boolean {
    const { destroyed, readableEnded, writable } = this.#socket;
    return !destroyed && !readableEnded && writable && nowMs < this.untilMs();
  }

  untilMs(): number {
    const { maxAgeMs = UNLIMITED } = this.#home.limits;
    return Math.min(this.#openedMs + maxAgeMs, this.#idleSinceMs + this.#idleLimitMs());
  }

  close(): void {
    this.#socket.destroy();
  }

  drain(): void {
    if (this.hasRoom) this.close();
    else this.#isLast = true;
  }

  park(): void {
    this.#wasIdle = true;
    if (this.#requests === 0) this.#socket.unref();
  }

  #idleLimitMs(): number {
    const { idleMs } = this.#home.limits;
    if (this.#hintMs === undefined) return idleMs ?? FOREIGN_IDLE_MS;
    const hinted = Math.min(this.#hintMs, HINTED_MAX_MS) - MARGIN_MS;
    return idleMs === undefined ? hinted : Math.min(hinted, idleMs);
  }

  readonly #onStray = (): void => {
    if (this.#socket.read() !== null) this.close();
  };
}
