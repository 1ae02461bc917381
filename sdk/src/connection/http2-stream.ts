import type { Duplex } from 'node:stream';
import { ERROR } from '../wire/http2/codes.ts';
import { bare } from '../wire/http2/fields.ts';
import type { ClientStream } from '../wire/http2/stream.ts';
import type { StreamListener } from '../wire/http2/stream-listener.ts';
import { Tunnel } from '../wire/http2/tunnel.ts';
import type { Connection } from './connection.ts';
import type { RequestController, RequestHandler, WireRequest } from './exchange.ts';
import { Http2Body } from './http2-body.ts';
import { InvalidRequest } from './invalid-request.ts';
import { StreamFailure } from './stream-failure.ts';

/** The connection a stream is on. */
export interface StreamPlace {
  readonly endpoint: string;
  readonly peer: string | undefined;
  readonly scheme: 'http' | 'https';
  readonly isReused: boolean;
  /** There is no other stream on it. */
  readonly isLonely: boolean;
  readonly takesConnect: boolean;
  /** Undefined where it takes no new streams any more. */
  request(headers: string[], isEnd: boolean, on: StreamListener): ClientStream | undefined;
  failureOf(id: number, code: number, wasLonely: boolean): StreamFailure;
  left(): void;
}

/** The room for one stream, and the stream: one request and its answer. */
export class Http2Stream implements Connection, RequestController, StreamListener {
  readonly endpoint: string;
  readonly peer: string | undefined;
  readonly isReused: boolean;
  readonly #place: StreamPlace;
  readonly #wasLonely: boolean;
  #stream: ClientStream | undefined;
  #handler: RequestHandler | undefined;
  #head: string[] = NOTHING;
  #upgrade: string | null = null;
  #webSocketKey: string | undefined;
  #tunnel: Tunnel | undefined;
  #body: Http2Body | undefined;
  #isOver = false;
  #hasLeft = false;

  constructor(place: StreamPlace) {
    this.#place = place;
    this.endpoint = place.endpoint;
    this.peer = place.peer;
    this.isReused = place.isReused;
    this.#wasLonely = place.isLonely;
  }

  dispatch(request: WireRequest, handler: RequestHandler): void {
    const { body, upgrade } = request;
    this.#handler = handler;
    if (upgrade !== null) {
      if (!this.#place.takesConnect) {
        const why = `${upgrade}: the peer takes no upgrades over HTTP/2 (RFC 8441)`;
        this.#failLater(new StreamFailure('upgrade', why));
        return;
      }
      this.#upgrade = upgrade;
      this.#webSocketKey = headerOf(request.headers, 'sec-websocket-key');
    }
    const isBare = body === null && upgrade === null;
    let stream: ClientStream | undefined;
    try {
      stream = this.#place.request(requestHeaders(request, this.#place.scheme), isBare, this);
    } catch (error) {
      this.#failLater(new InvalidRequest(error));
      return;
    }
    if (stream === undefined) {
      this.#failLater(new StreamFailure('refused', 'the connection takes no new requests'));
      return;
    }
    this.#stream = stream;
    handler.onRequestStart(this);
    if (isBare) handler.onRequestSent();
    else if (upgrade === null) this.#send(stream, body);
  }

  readHead(): string[] {
    return this.#head;
  }

  /** A stream that has ended on both sides closes by itself. */
  release(): void {
    this.#isOver = true;
    if (this.#stream === undefined) this.#leave();
  }

  close(): void {
    this.release();
    this.#stream?.reset(ERROR.cancel);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream?.reset(ERROR.cancel);
    this.#handler?.onResponseError(this, reason);
  }

  onInformational(status: number, headers: string[]): void {
    if (this.#isOver) return;
    this.#handler?.onResponseStarted();
    this.#handler?.onResponseStart(this, status, headers);
  }

  onHead(status: number, headers: string[]): void {
    if (this.#isOver) return;
    this.#head = headers;
    this.#handler?.onResponseStarted();
    if (this.#upgrade === null) this.#handler?.onResponseStart(this, status, headers);
    else if (status === 200) this.#switch(this.#upgrade, headers);
    else {
      this.#stream?.end();
      this.#handler?.onResponseStart(this, status, headers);
    }
  }

  onData(chunk: Buffer): void {
    if (this.#tunnel !== undefined) this.#tunnel.onData(chunk);
    else if (!this.#isOver) this.#handler?.onResponseData(this, chunk);
  }

  onEnd(trailers: string[]): void {
    if (this.#stream?.isClosed) this.#leave();
    if (this.#tunnel !== undefined) this.#tunnel.onEnd();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handler?.onResponseEnd(this, trailers);
  }

  onSent(): void {
    if (!this.#isOver && this.#upgrade === null) this.#handler?.onRequestSent();
  }

  onRoom(): void {
    this.#body?.goOn();
    this.#tunnel?.onRoom();
  }

  onClosed(code: number): void {
    this.#leave();
    this.#body?.goOn();
    this.#tunnel?.onClosed(code);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handler?.onResponseError(this, this.#place.failureOf(this.#stream?.id ?? 0, code, this.#wasLonely));
  }

  #switch(upgrade: string, headers: string[]): void {
    if (this.#stream === undefined) return;
    const tunnel = new Tunnel(this.#stream);
    this.#tunnel = tunnel;
    this.#isOver = true;
    const switched = [...headers, 'connection', 'upgrade', 'upgrade', upgrade, ...this.#accepted(headers)];
    this.#handler?.onRequestUpgrade(this, 101, switched, tunnel as Duplex);
  }

  /** For a caller of HTTP/1.1 it is an upgrade (Envoy Http::Utility::transformUpgradeResponseFromH2toH1). */
  #accepted(headers: readonly string[]): string[] {
    const key = this.#webSocketKey;
    if (key === undefined || headerOf(headers, 'sec-websocket-accept') !== undefined) return NOTHING;
    // A peer of HTTP/2 need not prove that it understood (RFC 8441 §5); a WebSocket client waits for it.
    const { createHash } = process.getBuiltinModule('node:crypto');
    const proof = createHash('sha1').update(key + WEBSOCKET);
    return ['sec-websocket-accept', proof.digest('base64')];
  }

  #send(stream: ClientStream, body: WireRequest['body']): void {
    if (body === null || body instanceof Uint8Array) {
      stream.end(body ?? undefined);
      return;
    }
    this.#body = new Http2Body(body, stream, (error) =>
      this.abort(error instanceof Error ? error : new Error(String(error))),
    );
    this.#body.goOn();
  }

  /** Never before `dispatch` has returned. */
  #failLater(error: Error): void {
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#leave();
      this.#handler?.onResponseError(null, error);
    });
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#place.left();
  }
}

const NOTHING: string[] = [];
/** RFC 6455 §1.3 */
const WEBSOCKET = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}

/** RFC 9113 §8.2.2: of the connection, not of the request; `host` becomes `:authority`. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

function requestHeaders({ method, path, headers, body, upgrade }: WireRequest, scheme: string): string[] {
  // Behind a proxy to HTTP/1.1 a space in either is the beginning of another request line.
  if (!TOKEN.test(method)) throw new Error(`"${method}" is no method`);
  if (/[\t ]/.test(path)) throw new Error('a path has no spaces');
  const authority = headers[0] === 'host' ? (headers[1] ?? '') : '';
  const wire =
    upgrade === null
      ? [':method', method, ':scheme', scheme, ':authority', authority, ':path', path]
      : [':method', 'CONNECT', ':protocol', upgrade, ':scheme', scheme, ':authority', authority, ':path', path];
  let hasLength = upgrade !== null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    // RFC 9113 §8.3: its name would take the place of what was decided on.
    if (name.startsWith(':')) throw new Error(`"${name}" is no name of a header`);
    if (NOT_SENT.has(name) || (name === 'te' && value !== 'trailers')) continue;
    if (name === 'content-length') hasLength = true;
    // RFC 9113 §8.2.1; on HTTP/1.1 they would be nothing either.
    wire.push(name, bare(value));
  }
  const length = hasLength ? undefined : lengthOf(method, body);
  if (length !== undefined) wire.push('content-length', String(length));
  return wire;
}

/** RFC 9110 §5.6.2 */
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;

/** As undici says it on HTTP/1.1. */
function lengthOf(method: string, body: WireRequest['body']): number | undefined {
  if (body instanceof Uint8Array) return body.length;
  return body === null && (method === 'POST' || method === 'PUT' || method === 'PATCH') ? 0 : undefined;
}
