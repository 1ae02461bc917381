import type { Socket } from 'node:net';
import { defaultOf } from '../defaults.ts';
import type { Http1Client, Http1Handler, Http1Request, ParsedHeaders } from './http1-client.ts';

/** Methods with which undici keeps the connection after a request with a body; after a HEAD it never does. */
const TAKES_BODY: ReadonlySet<string> = new Set(['PUT', 'POST', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH']);

/** What a connection needs of the pool it belongs to. */
export interface ConnectionHome {
  readonly limits: ConnectionLimits;
  /** Its request has ended and it may serve another. */
  returned(connection: Connection, nowMs: number): void;
  /** The socket is closed; exactly once. */
  closed(connection: Connection): void;
}

/** Of the cluster, as it is configured now. */
export interface ConnectionLimits {
  readonly idleMs: number | undefined;
  readonly maxAgeMs: number | undefined;
  readonly maxRequests: number | undefined;
}

export interface ConnectionParts {
  readonly socket: Socket;
  readonly client: Http1Client;
  readonly home: ConnectionHome;
  /** `address:port` */
  readonly endpoint: string;
  readonly nowMs: number;
}

/** One HTTP/1.1 connection. Whoever checked it out calls `release` or `close`, once. */
export class Connection {
  readonly endpoint: string;
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

  constructor({ socket, client, home, endpoint, nowMs }: ConnectionParts) {
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

  /** At checkout: not dialled for the next request, so the peer may have closed it in the meantime (keep-alive race). */
  get isReused(): boolean {
    return this.#wasIdle || this.#requests > 0;
  }

  dispatch(request: Http1Request, handler: Http1Handler): void {
    if (this.#requests++ === 0) {
      this.#socket.off('readable', this.#onStray);
      // undici takes a new socket for a ref'd one; from here on it refs and unrefs with its requests.
      this.#socket.ref();
    }
    if (request.method === 'HEAD' || (request.body !== null && !TAKES_BODY.has(request.method))) this.#isLast = true;
    this.#client.dispatch(request, handler);
  }

  /** The response head as a flat list; takes note of what it says about the connection. */
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

  /** The request has ended properly: back to the pool, unless the connection has had its day. */
  release(nowMs: number): void {
    if (this.#isClosed) return;
    const { maxRequests } = this.#home.limits;
    this.#idleSinceMs = nowMs;
    if (this.#isLast || (maxRequests !== undefined && this.#requests >= maxRequests) || !this.isUsable(nowMs))
      this.close();
    else this.#home.returned(this, nowMs);
  }

  /** Young enough, and not closed as far as we can know. */
  isUsable(nowMs: number): boolean {
    const { destroyed, readableEnded, writable } = this.#socket;
    if (destroyed || readableEnded || !writable) return false;
    const { maxAgeMs } = this.#home.limits;
    if (maxAgeMs !== undefined && nowMs - this.#openedMs >= maxAgeMs) return false;
    return nowMs - this.#idleSinceMs < this.#idleLimitMs();
  }

  /** Ends the connection and whatever is on it. */
  close(): void {
    this.#socket.destroy();
  }

  /** Nobody uses it for now: the process may end. */
  park(): void {
    this.#wasIdle = true;
    if (this.#requests === 0) this.#socket.unref();
  }

  #idleLimitMs(): number {
    const { idleMs } = this.#home.limits;
    if (this.#hintMs === undefined) return idleMs ?? defaultOf('foreignIdleMs');
    const hinted = Math.min(this.#hintMs, defaultOf('hintedIdleMaxMs')) - defaultOf('keepAliveMarginMs');
    return idleMs === undefined ? hinted : Math.min(hinted, idleMs);
  }

  readonly #onStray = (): void => {
    if (this.#socket.read() !== null) this.close();
  };
}

/** Names come lower case from undici; a repeated header stays repeated. */
export function flattenHeaders(headers: ParsedHeaders): string[] {
  const flat: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') flat.push(name, value);
    else if (value !== undefined) for (const one of value) flat.push(name, one);
  }
  return flat;
}
