import type { Http2ServerResponse, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { GuardedConnection } from './connection.ts';

/** RFC 9113 §7. */
const REFUSED_STREAM = 0x7;
const ENHANCE_YOUR_CALM = 0xb;
/** 17, in a record of TLS. */
const PING_ANSWER_BYTES = 64;

/**
 * Watches one HTTP/2 session for what costs us more than it costs the peer: streams reset as soon as they are opened
 * (CVE-2023-44487), and frames that need an answer but belong to no request. Header floods (CONTINUATION) and answers that
 * are not read are bounded by Node itself.
 */
export class SessionWatch {
  readonly #session: ServerHttp2Session;
  readonly #clock: Clock;
  readonly #mostStreams: number;
  readonly #calmed: (why: string) => void;
  #open = 0;
  #closed = 0;
  #premature = 0;
  #windowMs = 0;
  #pings = 0;
  #settings = 0;
  readonly #sent: () => number;
  #sentBefore = 0;

  constructor(connection: GuardedConnection, session: ServerHttp2Session, clock: Clock, calmed: (why: string) => void) {
    this.#session = session;
    this.#clock = clock;
    this.#calmed = calmed;
    this.#mostStreams = connection.chain?.maxConcurrentStreams ?? defaultOf('guardConcurrentStreams');
    this.#sent = () => (connection.secured?.socket ?? connection.socket).bytesWritten;
    session.on('ping', () => this.#ping());
    session.on('remoteSettings', () => this.#frame('settings'));
    // The application's own limit, where it is lower, is known once the peer has acknowledged it.
    session.once('localSettings', ({ maxConcurrentStreams = Number.POSITIVE_INFINITY }) => {
      if (maxConcurrentStreams > this.#mostStreams && !session.closed && !session.destroyed) {
        session.settings({ maxConcurrentStreams: this.#mostStreams });
      }
    });
  }

  /** false: it is one too many, and refused. */
  opened(stream: ServerHttp2Stream): boolean {
    // A peer ends a stream, or a session with all of its streams, by any code it likes: nobody else may listen, and the process
    // must not end by it.
    stream.on('error', () => {});
    // A peer that never acknowledges our settings is bounded all the same.
    if (this.#open >= this.#mostStreams) {
      stream.close(REFUSED_STREAM);
      return false;
    }
    this.#open++;
    const sinceMs = this.#clock.now();
    stream.once('close', () => {
      this.#open--;
      this.#count(stream.aborted && this.#clock.now() - sinceMs < defaultOf('guardPrematureMs'));
    });
    return true;
  }

  /** Envoy overload.premature_reset_total_stream_count: of that many streams not half may end so. */
  #count(isPremature: boolean): void {
    this.#closed++;
    if (isPremature) this.#premature++;
    if (this.#closed < defaultOf('guardPrematureStreams') || this.#premature * 2 < this.#closed) return;
    this.#calm(`${this.#premature} of ${this.#closed} streams were reset as soon as they were opened`);
  }

  /**
   * Clients of gRPC measure the link with a PING for what they receive (grpc-go, C-core: bandwidth-delay product): where we have
   * sent more than the answer to the last one it is none of those that cost us alone (gRFC A8).
   */
  #ping(): void {
    const sent = this.#sent();
    const isPaidFor = sent - this.#sentBefore > PING_ANSWER_BYTES;
    this.#sentBefore = sent;
    if (!isPaidFor) this.#frame('ping');
  }

  #frame(kind: 'ping' | 'settings'): void {
    const now = this.#clock.now();
    if (now - this.#windowMs > defaultOf('guardFrameWindowMs')) {
      this.#windowMs = now;
      this.#pings = 0;
      this.#settings = 0;
    }
    if (kind === 'ping') this.#pings++;
    else this.#settings++;
    if (this.#pings > defaultOf('guardPings')) this.#calm('too many PING frames');
    if (this.#settings > defaultOf('guardSettings')) this.#calm('too many SETTINGS frames');
  }

  #calm(why: string): void {
    if (this.#session.destroyed) return;
    this.#session.destroy(undefined, ENHANCE_YOUR_CALM);
    this.#calmed(why);
  }
}

/** The compatibility API's request has its stream: it was looked at as one already. */
export const isOfStream = (response: unknown): response is Http2ServerResponse =>
  typeof response === 'object' && response !== null && 'stream' in response;
