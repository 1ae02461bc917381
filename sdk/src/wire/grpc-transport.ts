import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { type DialAddress, parseServerAddress } from '../bootstrap/server-address.ts';
import { type Clock, systemClock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { AdsListener, AdsMethod, AdsStatus, AdsStream, AdsTransport } from '../discovery/transport.ts';
import { MeshError } from '../errors.ts';
import { createFrameReader, frameMessage } from './grpc-frames.ts';
import { codeOfReset, GRPC, statusOfHeaders, statusOfTrailers } from './grpc-status.ts';
import { type ClientSession, openSession } from './session.ts';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const PATHS: Readonly<Record<AdsMethod, string>> = {
  delta: `${SERVICE}/DeltaAggregatedResources`,
  sotw: `${SERVICE}/StreamAggregatedResources`,
};

export interface GrpcTransportOptions {
  /** `host:port`, `[ipv6]:port` or `unix:PATH`. */
  readonly server: string;
  readonly clock?: Clock;
  /** Largest message taken, checked before it is parsed. */
  readonly maxMessageBytes?: number;
}

/** What one server taught us; it outlives the connections. */
interface ServerMemory {
  pingIntervalMs: number;
}

/**
 * ADS over gRPC on a plain HTTP/2 connection (h2c), one connection a stream: the SDK holds one stream for all types, so
 * there is nothing to share, and a dead connection can never outlive its stream.
 * Throws MESH_BOOTSTRAP_INVALID when the address cannot be read.
 */
export function createGrpcTransport(options: GrpcTransportOptions): AdsTransport {
  const { server, clock = systemClock, maxMessageBytes = defaultOf('adsMessageBytes') } = options;
  const address = parseServerAddress(server);
  if (typeof address === 'string') throw new MeshError('MESH_BOOTSTRAP_INVALID', address);
  const memory: ServerMemory = { pingIntervalMs: defaultOf('adsPingIntervalMs') };
  return {
    server,
    open: (method, on) => new GrpcAdsStream({ address, clock, maxMessageBytes, memory, method, on }),
  };
}

interface StreamParts {
  readonly address: DialAddress;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly memory: ServerMemory;
  readonly method: AdsMethod;
  readonly on: AdsListener;
}

class GrpcAdsStream implements AdsStream {
  readonly #parts: StreamParts;
  readonly #session: ClientSession;
  readonly #stream: ClientHttp2Stream;
  #status: AdsStatus | undefined;
  #isOver = false;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    const { address, clock, memory, method, on } = parts;
    this.#session = openSession(
      address,
      { kind: 'ads', clock, pingIntervalMs: memory.pingIntervalMs },
      {
        connected: () => {
          if (!this.#isOver) on.opened?.();
        },
        calm: () => {
          memory.pingIntervalMs = Math.min(memory.pingIntervalMs * 2, defaultOf('adsPingLongestMs'));
        },
        ended: (reason) => {
          this.#finish({ code: GRPC.unavailable, message: `${reason} (${address.authority})` });
        },
      },
    );
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':path': PATHS[method],
      ':authority': address.authority,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'inmesh',
    });
    this.#watch();
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOver && !this.#stream.writableEnded) this.#stream.write(frameMessage(bytes));
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
    const reader = createFrameReader(this.#parts.maxMessageBytes, (message) => {
      if (!this.#isOver) this.#parts.on.message(message);
    });
    stream.on('response', (headers) => this.#onHeaders(headers));
    stream.on('trailers', (headers) => {
      this.#status ??= statusOfTrailers(headers);
    });
    stream.on('data', (chunk: Uint8Array) => {
      if (this.#isOver) return;
      const fault = reader.push(chunk);
      if (fault === 'too-large') {
        const limit = this.#parts.maxMessageBytes;
        this.#finish({ code: GRPC.resourceExhausted, message: `a message is larger than the limit of ${limit} bytes` });
      } else if (fault === 'compressed') {
        this.#finish({ code: GRPC.internal, message: 'a compressed message although no encoding was offered' });
      }
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Only a RST_STREAM speaks about the stream; any other error is the connection's.
      const isReset = error.code === 'ERR_HTTP2_STREAM_ERROR';
      const code = isReset ? codeOfReset(stream.rstCode) : GRPC.unavailable;
      this.#status ??= { code, message: `${error.message} (${this.#parts.address.authority})` };
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

  #finish(status: AdsStatus): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#parts.on.close(status);
    }
    this.#session.destroy();
  }
}
