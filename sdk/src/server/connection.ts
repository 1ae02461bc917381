import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Secured } from '../identity/peer-check.ts';
import type { InboundChain, InboundLimits } from '../model/inbound.ts';
import type { Offer } from './chain.ts';
import type { HeaderRule } from './request-headers.ts';

/** How a connection came in; `probe`: plain under STRICT, for the listed paths alone. */
export type Taken = 'plain' | 'mutual-tls' | 'own-tls' | 'probe';

/** TLS of the mesh on a connection. */
interface MutualTls {
  readonly socket: TLSSocket;
  readonly client: Secured;
}

const NO_ERROR = 0;
/** The highest there can be (RFC 9113 §6.8). */
const LAST_STREAM = 2 ** 31 - 1;

type Answer = Pick<ServerResponse, 'shouldKeepAlive'>;

/** One accepted connection: what is known of it, what runs on it, and when it ends. */
export class GuardedConnection {
  readonly socket: Socket;
  /** What it offered when it was looked at; undefined: it was not, or not yet. */
  offer: Offer | undefined;
  chain: InboundChain | undefined;
  taken: Taken | undefined;
  secured: MutualTls | undefined;
  session: ServerHttp2Session | undefined;
  rule: HeaderRule | undefined;
  readonly #clock: Clock;
  readonly #limits: () => InboundLimits;
  readonly #answers = new Set<Answer>();
  #active = 0;
  #served = 0;
  #isDraining = false;
  #isGoing = false;
  #idle: Timer | undefined;
  #duration: Timer | undefined;
  #bound: Timer | undefined;

  constructor(socket: Socket, clock: Clock, limits: () => InboundLimits) {
    this.socket = socket;
    this.#clock = clock;
    this.#limits = limits;
    socket.once('close', () => {
      for (const timer of [this.#idle, this.#duration, this.#bound]) timer?.cancel();
    });
  }

  get active(): number {
    return this.#active;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** It has been given to the application's server. */
  begin(): void {
    const { maxConnectionDurationMs } = this.#limits();
    if (maxConnectionDurationMs) {
      // Streams of HTTP/2 go on, as behind Envoy (max_connection_duration) and in gRPC (max_connection_age).
      this.#duration = this.#clock.after(maxConnectionDurationMs, () =>
        this.drain(this.session === undefined ? defaultOf('guardDrainMs') : undefined),
      );
    }
    this.#rest();
  }

  /** A request has come; `answer`: of HTTP/1.1, for it to say that it is the last. */
  requestBegan(answer?: Answer): void {
    this.#idle?.cancel();
    this.#active++;
    this.#served++;
    if (answer !== undefined) this.#answers.add(answer);
    const { maxRequestsPerConnection } = this.#limits();
    // 0 is no limit, as in Envoy: of requests, and of each of the times.
    const isLast = maxRequestsPerConnection ? this.#served >= maxRequestsPerConnection : false;
    if (isLast || this.#isDraining) this.#sayLast();
  }

  requestEnded(answer?: Answer): void {
    this.#active--;
    if (answer !== undefined) this.#answers.delete(answer);
    if (this.#active > 0) return;
    if (this.#isDraining && this.session === undefined) this.#end();
    else this.#rest();
  }

  /** No new requests: GOAWAY, or `Connection: close` with the next answer. What is under way has `graceMs`; undefined: its own time. */
  drain(graceMs: number | undefined): void {
    if (this.socket.destroyed) return;
    if (graceMs !== undefined) this.#bound ??= this.#clock.after(graceMs, () => this.destroy());
    this.#sayLast();
    if (this.session === undefined && this.#active === 0) this.#end();
  }

  destroy(): void {
    this.session?.destroy();
    this.secured?.socket.destroy();
    this.socket.destroy();
  }

  #sayLast(): void {
    this.#isDraining = true;
    if (this.session !== undefined) this.#goAway(this.session);
    // Node writes `Connection: close` where the head has not gone out yet.
    for (const answer of this.#answers) answer.shouldKeepAlive = false;
  }

  /**
   * GOAWAY twice (RFC 9113 §6.8): requests that are on their way when the first is sent are served; the second, when the peer is
   * known to have read it, names the last stream. The streams up to that go on.
   */
  #goAway(session: ServerHttp2Session): void {
    if (this.#isGoing || session.closed || session.destroyed) return;
    this.#isGoing = true;
    const close = (): void => session.close();
    const late = this.#clock.after(defaultOf('guardDrainMs'), close);
    session.once('close', () => late.cancel());
    session.goaway(NO_ERROR, LAST_STREAM);
    // Too many are under way already: the peer does not answer.
    if (!session.ping(close)) close();
  }

  #rest(): void {
    this.#idle?.cancel();
    const own = this.#limits().idleTimeoutMs ?? this.chain?.idleTimeoutMs;
    // A session that never asked for anything gets no hour.
    const usual = this.session !== undefined && this.#served > 0 ? 'http2IdleMs' : 'guardIdleMs';
    // The answer to a request may end after its connection.
    if (own === 0 || this.socket.destroyed) return;
    this.#idle = this.#clock.after(own ?? defaultOf(usual), () => this.#end());
  }

  #end(): void {
    if (this.session !== undefined) this.session.close();
    else (this.secured?.socket ?? this.socket).destroySoon();
  }
}
