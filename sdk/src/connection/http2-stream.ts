import type { ClientHttp2Stream } from 'node:http2';
import type { Connection } from './connection.ts';
import {
  flattenHeaders,
  type ParsedHeaders,
  type RequestController,
  type RequestHandler,
  type WireRequest,
} from './exchange.ts';
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
  request(headers: string[], endStream: boolean): ClientHttp2Stream | undefined;
  failureOf(id: number | undefined, code: number, wasLonely: boolean, error: Error | undefined): StreamFailure;
  left(): void;
}

const CANCEL = 8;
const NO_ERROR = 0;

/** The room for one stream, and the stream: one request and its answer. */
export class Http2Stream implements Connection, RequestController {
  readonly endpoint: string;
  readonly peer: string | undefined;
  readonly isReused: boolean;
  readonly #place: StreamPlace;
  readonly #wasLonely: boolean;
  #stream: ClientHttp2Stream | undefined;
  #handler: RequestHandler | undefined;
  #head: readonly string[] = [];
  #trailers: ParsedHeaders = {};
  #error: Error | undefined;
  #upgrade = '';
  #webSocketKey: string | undefined;
  #hasHead = false;
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
    this.#handler = handler;
    if (request.upgrade !== null && !this.#place.takesConnect) {
      this.#failLater(
        new StreamFailure('upgrade', `${request.upgrade}: the peer takes no upgrades over HTTP/2 (RFC 8441)`),
      );
      return;
    }
    if (request.upgrade !== null) {
      this.#upgrade = request.upgrade;
      this.#webSocketKey = headerOf(request.headers, 'sec-websocket-key');
    }
    const isBare = request.body === null && request.upgrade === null;
    let stream: ClientHttp2Stream | undefined;
    try {
      stream = this.#place.request(requestHeaders(request, this.#place.scheme), isBare);
    } catch (error) {
      this.#failLater(new InvalidRequest(error));
      return;
    }
    if (stream === undefined) {
      this.#failLater(new StreamFailure('refused', 'the connection takes no new requests'));
      return;
    }
    this.#stream = stream;
    this.#listen(stream, request.upgrade !== null);
    handler.onRequestStart(this);
    if (isBare) handler.onRequestSent();
    else if (request.upgrade === null) this.#send(stream, request.body);
  }

  readHead(): string[] {
    const flat: string[] = [];
    const head = this.#head;
    for (let i = 0; i < head.length; i += 2) {
      const name = head[i];
      const value = head[i + 1];
      if (name !== undefined && value !== undefined && name.charCodeAt(0) !== COLON) flat.push(name, value);
    }
    return flat;
  }

  /** A stream that has ended on both sides closes by itself. */
  release(): void {
    this.#isOver = true;
    if (this.#stream === undefined) this.#leave();
  }

  close(): void {
    this.release();
    if (this.#stream?.closed === false) this.#stream.close(CANCEL);
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
    this.#stream?.close(CANCEL);
    this.#handler?.onResponseError(this, reason);
  }

  #listen(stream: ClientHttp2Stream, isUpgrade: boolean): void {
    stream.on('headers', (headers, _, raw) => {
      if (!this.#isOver) this.#informed(headers, raw);
    });
    stream.on('response', (headers, _, raw) => {
      if (!this.#isOver) this.#answered(stream, headers, raw, isUpgrade);
    });
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers as ParsedHeaders;
    });
    stream.on('end', () => {
      if (!this.#isOver && this.#hasHead && stream.rstCode === NO_ERROR) {
        this.#isOver = true;
        this.#handler?.onResponseEnd(this, this.#trailers);
      }
    });
    stream.on('error', (error) => {
      this.#error ??= error;
    });
    stream.on('close', () => {
      this.#leave();
      if (this.#isOver) return;
      this.#isOver = true;
      this.#handler?.onResponseError(
        this,
        this.#place.failureOf(stream.id, stream.rstCode ?? NO_ERROR, this.#wasLonely, this.#error),
      );
    });
  }

  #informed(headers: object, raw: unknown): void {
    const { status, fields } = headOf(headers);
    this.#head = rawOf(raw, fields);
    this.#handler?.onResponseStarted();
    this.#handler?.onResponseStart(this, status, fields);
  }

  #answered(stream: ClientHttp2Stream, headers: object, raw: unknown, isUpgrade: boolean): void {
    const { status, fields } = headOf(headers);
    this.#head = rawOf(raw, fields);
    this.#hasHead = true;
    this.#handler?.onResponseStarted();
    if (isUpgrade && status === 200) {
      this.#isOver = true;
      this.#handler?.onRequestUpgrade(this, 101, { ...fields, ...this.#switched(fields) }, stream);
      return;
    }
    if (isUpgrade) stream.end();
    stream.on('data', (chunk: Uint8Array) => {
      if (!this.#isOver) this.#handler?.onResponseData(this, chunk);
    });
    this.#handler?.onResponseStart(this, status, fields);
  }

  /** For a caller of HTTP/1.1 it is an upgrade (Envoy Http::Utility::transformUpgradeResponseFromH2toH1). */
  #switched(fields: ParsedHeaders): ParsedHeaders {
    const switched = { connection: 'upgrade', upgrade: this.#upgrade };
    const key = this.#webSocketKey;
    if (key === undefined || fields['sec-websocket-accept'] !== undefined) return switched;
    // A peer of HTTP/2 need not prove that it understood (RFC 8441 §5); a WebSocket client waits for it.
    const { createHash } = process.getBuiltinModule('node:crypto');
    return {
      ...switched,
      'sec-websocket-accept': createHash('sha1')
        .update(key + WEBSOCKET)
        .digest('base64'),
    };
  }

  #send(stream: ClientHttp2Stream, body: WireRequest['body']): void {
    stream.once('finish', () => {
      if (!this.#isOver && stream.rstCode === NO_ERROR) this.#handler?.onRequestSent();
    });
    if (body === null || body instanceof Uint8Array) stream.end(body ?? undefined);
    else
      pump(body, stream).catch((error: unknown) => {
        this.abort(error instanceof Error ? error : new Error(String(error)));
      });
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

async function pump(body: AsyncIterable<Uint8Array>, stream: ClientHttp2Stream): Promise<void> {
  for await (const chunk of body) {
    if (stream.destroyed || stream.closed) return;
    if (!stream.write(chunk)) await drained(stream);
  }
  stream.end();
}

const drained = (stream: ClientHttp2Stream): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
    if (stream.destroyed) done();
  });

const COLON = 58;
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
  const authority = headers[0] === 'host' ? (headers[1] ?? '') : '';
  const wire =
    upgrade === null
      ? [':method', method, ':scheme', scheme, ':authority', authority, ':path', path]
      : [':method', 'CONNECT', ':protocol', upgrade, ':scheme', scheme, ':authority', authority, ':path', path];
  let hasLength = upgrade !== null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    if (NOT_SENT.has(name) || (name === 'te' && value !== 'trailers')) continue;
    if (name === 'content-length') hasLength = true;
    wire.push(name, value);
  }
  const length = hasLength ? undefined : lengthOf(method, body);
  if (length !== undefined) wire.push('content-length', String(length));
  return wire;
}

/** As undici says it on HTTP/1.1. */
function lengthOf(method: string, body: WireRequest['body']): number | undefined {
  if (body instanceof Uint8Array) return body.length;
  return body === null && (method === 'POST' || method === 'PUT' || method === 'PATCH') ? 0 : undefined;
}

interface Head {
  readonly status: number;
  readonly fields: ParsedHeaders;
}

function headOf(headers: object): Head {
  const { ':status': status, ...fields } = headers as Record<string, string | string[] | undefined>;
  return { status: Number(status), fields };
}

/** With repeated headers as they came; Node joins them in the object. */
const rawOf = (raw: unknown, fields: ParsedHeaders): readonly string[] =>
  Array.isArray(raw) ? (raw as string[]) : flattenHeaders(fields);
