import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Http2Options } from '../model/cluster.ts';
import { Http2Client } from '../wire/http2/client.ts';
import type { ClientListener } from '../wire/http2/client-listener.ts';
import { type ConnectionFault, ERROR } from '../wire/http2/codes.ts';
import type { PeerSettings } from '../wire/http2/peer-settings.ts';
import type { ClientStream } from '../wire/http2/stream.ts';
import type { StreamListener } from '../wire/http2/stream-listener.ts';
import { upstreamLimits } from '../wire/http2-settings.ts';
import { createKeepalive, type Keepalive } from '../wire/keepalive.ts';
import { afterSockets } from '../wire/late-timer.ts';
import { ConnectFailure } from './connect-failure.ts';
import { type Connection, type ConnectionHome, type PooledConnection, UNLIMITED } from './connection.ts';
import { Http2Stream, type StreamPlace } from './http2-stream.ts';
import { peerOf } from './peers.ts';
import { calm, pingIntervalMs } from './ping-interval.ts';
import { StreamFailure } from './stream-failure.ts';

export interface Http2Parts {
  readonly socket: Socket;
  readonly home: ConnectionHome;
  readonly endpoint: string;
  readonly scheme: 'http' | 'https';
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly options: Http2Options | undefined;
}

export interface Http2Listener {
  connected(connection: PooledConnection): void;
  failed(failure: ConnectFailure): void;
}

/** Makes an HTTP/2 connection of a socket; it counts as connected when the peer has said what it allows. */
export function openHttp2(parts: Http2Parts, on: Http2Listener): void {
  new Http2Connection(parts, on).open();
}

/** RFC 9113 §5.1.1: a connection has no more numbers for streams of a client. */
const MAX_STREAMS = 2 ** 30 - 1;

/** RFC 9113 §6.5.2: no limit, as long as the peer gives none. */
const NO_LIMIT = 2 ** 32 - 1;

/** One HTTP/2 connection: it carries as many requests at a time as its peer and the cluster allow. */
class Http2Connection implements PooledConnection, ClientListener, StreamPlace {
  readonly endpoint: string;
  readonly scheme: 'http' | 'https';
  isReady = false;
  /** The peer takes extended CONNECT (RFC 8441). */
  takesConnect = false;
  readonly #parts: Http2Parts;
  readonly #on: Http2Listener;
  #client: Http2Client | undefined;
  #keepalive: Keepalive | undefined;
  #connecting: Timer | undefined;
  #peerStreams = NO_LIMIT;
  #streams = 0;
  #requests = 0;
  #wasIdle = false;
  #openedMs = 0;
  #idleSinceMs = 0;
  /** The lane has it. */
  #isAnnounced = false;
  #isDraining = false;
  #isClosed = false;
  /** No SETTINGS came in time. */
  #isLate = false;
  /** What the peer has done. */
  #fault: ConnectionFault | undefined;
  #lastStream = UNLIMITED;

  constructor(parts: Http2Parts, on: Http2Listener) {
    this.#parts = parts;
    this.#on = on;
    this.endpoint = parts.endpoint;
    this.scheme = parts.scheme;
  }

  open(): void {
    const { socket, clock, timeoutMs, options = {} } = this.#parts;
    socket.setNoDelay(true);
    // A port that takes connections and never speaks is no peer: HTTP/2 begins with its SETTINGS (RFC 9113 §3.4).
    this.#connecting = afterSockets(clock, timeoutMs, () => {
      this.#isLate = true;
      this.#client?.destroy(`no connection within ${timeoutMs} ms`);
    });
    const client = new Http2Client(socket, upstreamLimits(options), this);
    this.#client = client;
    this.#keepalive = createKeepalive({
      clock,
      ping: (answered) => client.ping(answered),
      intervalMs: pingIntervalMs(options),
      timeoutMs: options.keepAlive?.timeoutMs ?? defaultOf('adsPingTimeoutMs'),
      onDead: (reason) => client.destroy(reason),
    });
  }

  get peer(): string | undefined {
    return peerOf(this.#parts.socket);
  }

  get capacity(): number {
    return Math.min(this.#peerStreams, this.#parts.home.limits.maxStreams);
  }

  get hasRoom(): boolean {
    return !this.#isDraining && !this.#isClosed && this.#streams < this.capacity && !this.#isSpent;
  }

  get isReused(): boolean {
    return this.#wasIdle || this.#requests > 1;
  }

  /** None of its requests tells that the peer is still there. */
  get isLonely(): boolean {
    return this.#streams === 1;
  }

  get #isSpent(): boolean {
    const { maxRequests = MAX_STREAMS } = this.#parts.home.limits;
    return this.#requests >= Math.min(maxRequests, MAX_STREAMS);
  }

  lease(): Connection {
    this.#requests++;
    if (this.#streams++ === 0) this.#parts.socket.ref();
    return new Http2Stream(this);
  }

  /** A stream has ended, or was never opened. */
  left(): void {
    this.#streams--;
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.now();
    if (this.#streams === 0) {
      this.#idleSinceMs = nowMs;
      this.#parts.socket.unref();
    }
    if (!this.#isDraining && (this.#isSpent || !this.isUsable(nowMs))) this.#stop();
    if (this.#isDraining && this.#streams === 0) this.close();
    else if (!this.#isDraining) this.#parts.home.returned(this);
  }

  /** What a stream ended with, as the peer meant it. */
  failureOf(id: number, code: number, wasLonely: boolean): StreamFailure {
    const cause = { cause: this.#fault };
    if (code === ERROR.refusedStream || id > this.#lastStream)
      return new StreamFailure('refused', 'the peer has not taken the request', cause);
    if (this.#fault !== undefined || (code === ERROR.protocol && !this.#isLost))
      return new StreamFailure('protocol', 'HTTP/2 protocol error', cause);
    if (this.#isLost) return new StreamFailure('lost', 'the connection was closed', { isStale: wasLonely });
    return new StreamFailure('reset', `the peer reset the stream (code ${code})`, { resetCode: code });
  }

  request(headers: string[], isEnd: boolean, on: StreamListener): ClientStream | undefined {
    return this.#isLost ? undefined : this.#client?.request(headers, isEnd, on);
  }

  isUsable(nowMs: number): boolean {
    return !this.#isLost && !this.#isDraining && nowMs < this.untilMs();
  }

  untilMs(): number {
    const { maxAgeMs = UNLIMITED, idleMs = defaultOf('http2IdleMs') } = this.#parts.home.limits;
    const idleUntil = this.#streams === 0 ? this.#idleSinceMs + idleMs : UNLIMITED;
    return Math.min(this.#openedMs + maxAgeMs, idleUntil);
  }

  park(): void {
    if (this.#streams === 0) this.#wasIdle = true;
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#streams === 0) this.close();
  }

  close(): void {
    this.#client?.destroy();
  }

  onSettings({ maxConcurrentStreams = NO_LIMIT, enableConnectProtocol }: PeerSettings): void {
    this.#peerStreams = maxConcurrentStreams;
    this.takesConnect = enableConnectProtocol;
    if (this.#isAnnounced) {
      if (!this.#isDraining && !this.#isClosed) this.#parts.home.returned(this);
      return;
    }
    this.#isAnnounced = true;
    this.#connecting?.cancel();
    this.#keepalive?.start();
    this.#openedMs = this.#parts.clock.now();
    this.#idleSinceMs = this.#openedMs;
    this.#on.connected(this);
    // Whoever waited for it has it by now; until then it held the process.
    if (this.#streams === 0) this.#parts.socket.unref();
  }

  onGoAway(lastStream: number, code: number): void {
    const isFirst = this.#lastStream === UNLIMITED;
    if (isFirst && code === ERROR.enhanceYourCalm && this.#parts.options !== undefined) calm(this.#parts.options);
    this.#lastStream = Math.min(this.#lastStream, lastStream);
    if (!this.#isDraining) this.#stop();
    if (this.#streams === 0) this.close();
  }

  onEnded(reason = 'the connection was closed', fault?: ConnectionFault): void {
    this.#isClosed = true;
    this.#fault = fault;
    this.#connecting?.cancel();
    this.#keepalive?.stop();
    if (this.#isAnnounced) this.#parts.home.closed(this);
    else this.#on.failed(new ConnectFailure(this.#isLate ? 'timeout' : fault ? 'protocol' : 'lost', reason));
  }

  get #isLost(): boolean {
    const { destroyed } = this.#parts.socket;
    return this.#isClosed || destroyed;
  }

  #stop(): void {
    this.#isDraining = true;
    if (this.#isAnnounced) this.#parts.home.draining(this);
  }
}
