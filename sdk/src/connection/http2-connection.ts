import type { Settings } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Http2Options } from '../model/cluster.ts';
import { type ClientSession, type SessionListener, startSession } from '../wire/session.ts';
import { ConnectFailure } from './connect-failure.ts';
import { type Connection, type ConnectionHome, type PooledConnection, UNLIMITED } from './connection.ts';
import { Http2Stream, type StreamPlace } from './http2-stream.ts';
import { peerOf } from './peers.ts';
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

/** RFC 9113 §6.5.2: no limit, as long as the peer gives none. */
const NO_LIMIT = 2 ** 32 - 1;

/** One HTTP/2 connection: it carries as many requests at a time as its peer and the cluster allow. */
class Http2Connection implements PooledConnection, SessionListener, StreamPlace {
  readonly endpoint: string;
  readonly scheme: 'http' | 'https';
  isReady = false;
  /** The peer takes extended CONNECT (RFC 8441). */
  takesConnect = false;
  readonly #parts: Http2Parts;
  readonly #on: Http2Listener;
  #session: ClientSession | undefined;
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
  #isProtocolError = false;
  #lastStream = UNLIMITED;

  constructor(parts: Http2Parts, on: Http2Listener) {
    this.#parts = parts;
    this.#on = on;
    this.endpoint = parts.endpoint;
    this.scheme = parts.scheme;
  }

  open(): void {
    const { socket, clock, timeoutMs, options, scheme, endpoint } = this.#parts;
    const { keepAlive } = options ?? {};
    const origin = `${scheme}://${endpoint}`;
    this.#session = startSession(
      socket,
      URL.canParse(origin) ? origin : 'http://localhost',
      {
        kind: 'upstream',
        clock,
        timeoutMs,
        ...(keepAlive?.intervalMs !== undefined && {
          pingIntervalMs: keepAlive.intervalMs,
          pingTimeoutMs: keepAlive.timeoutMs,
        }),
        settings: settingsOf(options),
        ...(options?.initialConnectionWindowSize !== undefined && {
          connectionWindow: options.initialConnectionWindowSize,
        }),
      },
      this,
    );
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
    const { maxRequests } = this.#parts.home.limits;
    return maxRequests !== undefined && this.#requests >= maxRequests;
  }

  lease(): Connection {
    this.#requests++;
    if (this.#streams++ === 0) this.#session?.ref();
    return new Http2Stream(this);
  }

  /** A stream has ended, or was never opened. */
  left(): void {
    this.#streams--;
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.now();
    if (this.#streams === 0) {
      this.#idleSinceMs = nowMs;
      this.#session?.unref();
    }
    if (!this.#isDraining && (this.#isSpent || !this.isUsable(nowMs))) this.#stop();
    if (this.#isDraining && this.#streams === 0) this.close();
    else if (!this.#isDraining) this.#parts.home.returned(this);
  }

  /** What `error` or code a stream ended with, as the peer meant it. */
  failureOf(id: number | undefined, code: number, wasLonely: boolean, error: Error | undefined): StreamFailure {
    const cause = { cause: error };
    if (code === REFUSED_STREAM || (id ?? 0) > this.#lastStream)
      return new StreamFailure('refused', 'the peer has not taken the request', cause);
    if (this.#isProtocolError || (code === PROTOCOL_ERROR && !this.#isLost))
      return new StreamFailure('protocol', 'HTTP/2 protocol error', cause);
    if (this.#isLost) return new StreamFailure('lost', 'the connection was closed', { isStale: wasLonely, ...cause });
    return new StreamFailure('reset', `the peer reset the stream (code ${code})`, { resetCode: code, ...cause });
  }

  request(headers: string[], endStream: boolean) {
    if (this.#session === undefined || this.#isLost || this.#lastStream !== UNLIMITED) return undefined;
    return this.#session.request(headers, { endStream });
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
    this.#session?.destroy();
  }

  connected(): void {
    this.#openedMs = this.#parts.clock.now();
    this.#idleSinceMs = this.#openedMs;
  }

  changed({ maxConcurrentStreams = NO_LIMIT, enableConnectProtocol = false }: Settings): void {
    this.#peerStreams = maxConcurrentStreams;
    this.takesConnect = enableConnectProtocol;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      this.#on.connected(this);
    } else if (!this.#isDraining && !this.#isClosed) this.#parts.home.returned(this);
  }

  goingAway(lastStream: number): void {
    this.#lastStream = Math.min(this.#lastStream, lastStream);
    if (!this.#isDraining) this.#stop();
    if (this.#streams === 0) this.close();
  }

  ended(reason: string, cause: 'closed' | 'protocol' | 'timeout'): void {
    this.#isClosed = true;
    this.#isProtocolError = cause === 'protocol';
    if (this.#isAnnounced) this.#parts.home.closed(this);
    else this.#on.failed(new ConnectFailure(KINDS[cause], reason));
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

const REFUSED_STREAM = 7;
const PROTOCOL_ERROR = 1;
const KINDS = { closed: 'lost', protocol: 'protocol', timeout: 'timeout' } as const;

function settingsOf(options: Http2Options | undefined): Settings {
  const { initialStreamWindowSize, headerTableSize } = options ?? {};
  return {
    ...(initialStreamWindowSize !== undefined && { initialWindowSize: initialStreamWindowSize }),
    ...(headerTableSize !== undefined && { headerTableSize }),
  };
}
