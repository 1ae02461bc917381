import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Clock } from '../clock.ts';
import type { Channel } from './channel.ts';
import { FrameReader, frameMessage } from './grpc-frames.ts';
import { codeOfReset, GRPC, type GrpcStatus, statusOfHeaders, statusOfTrailers } from './grpc-status.ts';
import type { SessionKind } from './http2-settings.ts';
import { type ClientSession, startSession } from './session.ts';

export interface GrpcStreamOptions {
  readonly channel: Channel;
  /** `/package.Service/Method` */
  readonly path: string;
  readonly kind: SessionKind;
  readonly clock: Clock;
  /** Largest message taken, checked before it is parsed. */
  readonly maxMessageBytes: number;
  /** Beside the channel's own. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly pingIntervalMs?: number;
}

/** Nothing of it is called from inside `openGrpcStream`, `send`, `end` or `close`. */
export interface GrpcStreamListener {
  /** The server speaks HTTP/2. */
  opened?(): void;
  message(bytes: Uint8Array): void;
  /** The server asks for fewer PINGs. */
  calm?(): void;
  /** Exactly once, last; not after `close()`. */
  close(status: GrpcStatus): void;
}

/** One gRPC call on a connection of its own: there is nothing to share, and a dead connection never outlives its call. */
export interface GrpcStream {
  send(bytes: Uint8Array): void;
  /** Nothing more will be sent; answers still come. */
  end(): void;
  /** Gives the call up; what was sent before still arrives. */
  close(): void;
  ref(): void;
  unref(): void;
}

/** Never throws: what cannot be opened closes with a status. */
export function openGrpcStream(options: GrpcStreamOptions, on: GrpcStreamListener): GrpcStream {
  try {
    const metadata = options.channel.metadata();
    return new LiveStream(options, metadata, on);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return stillborn({ code: GRPC.unavailable, message }, on);
  }
}

class LiveStream implements GrpcStream {
  readonly #options: GrpcStreamOptions;
  readonly #on: GrpcStreamListener;
  readonly #session: ClientSession;
  readonly #stream: ClientHttp2Stream;
  #status: GrpcStatus | undefined;
  #isConnected = false;
  #isOver = false;

  constructor(options: GrpcStreamOptions, metadata: Readonly<Record<string, string>>, on: GrpcStreamListener) {
    this.#options = options;
    this.#on = on;
    const { channel, clock, kind, path, pingIntervalMs } = options;
    const { authority, tlsName } = channel.address;
    const scheme = tlsName === undefined ? 'http' : 'https';
    const rules = { kind, clock, ...(pingIntervalMs !== undefined && { pingIntervalMs }) };
    this.#session = startSession(channel.dial(), `${scheme}://${authority}`, rules, {
      connected: () => {
        this.#isConnected = true;
        if (!this.#isOver) on.opened?.();
      },
      calm: () => on.calm?.(),
      ended: (reason) => this.#finish(this.#unavailable(reason)),
    });
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':scheme': scheme,
      ':path': path,
      ':authority': authority,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'inmesh',
      ...metadata,
      ...options.metadata,
    });
    this.#watch();
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOver && !this.#stream.writableEnded) this.#stream.write(frameMessage(bytes));
  }

  end(): void {
    if (!this.#isOver) this.#stream.end();
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // Half-close first: what was sent before (the end of a registration) must still arrive.
    this.#stream.end();
    this.#session.close();
  }

  ref(): void {
    this.#session.ref();
  }

  unref(): void {
    this.#session.unref();
  }

  #watch(): void {
    const stream = this.#stream;
    const reader = new FrameReader(this.#options.maxMessageBytes, (message) => {
      if (!this.#isOver) this.#on.message(message);
    });
    stream.on('response', (headers) => this.#onHeaders(headers));
    stream.on('trailers', (headers) => {
      this.#status ??= statusOfTrailers(headers);
    });
    stream.on('data', (chunk: Uint8Array) => {
      if (this.#isOver) return;
      const fault = reader.push(chunk);
      if (fault === 'too-large') {
        const limit = this.#options.maxMessageBytes;
        this.#finish({ code: GRPC.resourceExhausted, message: `a message is larger than the limit of ${limit} bytes` });
      } else if (fault === 'compressed') {
        this.#finish({ code: GRPC.internal, message: 'a compressed message although no encoding was offered' });
      }
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Only a RST_STREAM speaks about the stream; any other error is the connection's.
      const isReset = error.code === 'ERR_HTTP2_STREAM_ERROR';
      const { code, message } = this.#unavailable(reasonOf(error));
      this.#status ??= { code: isReset ? codeOfReset(stream.rstCode) : code, message };
    });
    // The server's END_STREAM ends the call, though our side of the HTTP/2 stream is still open.
    for (const event of ['end', 'close']) {
      stream.on(event, () => {
        const cut = reader.isAtBoundary ? '' : ', in the middle of a message';
        this.#finish(this.#status ?? { code: GRPC.unavailable, message: `the stream ended without a status${cut}` });
      });
    }
  }

  #onHeaders(headers: IncomingHttpHeaders): void {
    // Trailers-only: the one HEADERS frame carries the status (PROTOCOL-HTTP2).
    this.#status = statusOfTrailers(headers) ?? statusOfHeaders(headers);
    if (this.#status !== undefined) this.#finish(this.#status);
  }

  #unavailable(reason: string): GrpcStatus {
    const { address, trust } = this.#options.channel;
    return { code: GRPC.unavailable, message: `${reason} (${address.authority}${this.#isConnected ? '' : trust})` };
  }

  #finish(status: GrpcStatus): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#on.close(status);
    }
    this.#session.destroy();
  }
}

/** Node says of every stream that its connection took it along; why that ended is the cause. */
const reasonOf = ({ message, cause }: Error): string => (cause instanceof Error ? cause.message : message);

function stillborn(status: GrpcStatus, on: GrpcStreamListener): GrpcStream {
  let isOver = false;
  queueMicrotask(() => isOver || on.close(status));
  const nothing = (): void => {};
  return {
    send: nothing,
    end: nothing,
    ref: nothing,
    unref: nothing,
    close() {
      isOver = true;
    },
  };
}
