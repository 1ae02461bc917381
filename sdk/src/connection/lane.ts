import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import { ConnectFailure } from './connect-failure.ts';
import {
  type Connection,
  type ConnectionBreaker,
  type ConnectionHome,
  type ConnectionLimits,
  type PooledConnection,
  UNLIMITED,
} from './connection.ts';
import type { Dial, DialListener, Reach } from './dial.ts';
import type { SecureTransport } from './secure-transports.ts';
import type { TlsTarget } from './tls.ts';

/** The host a connection goes to; the same object for as long as its upstream names the address. */
export interface DialHost {
  /** IP literal, host name or `unix:PATH`. */
  readonly address: string;
  readonly port: number;
  /** No longer an endpoint: what is under way may end, nothing is kept. */
  readonly removed: boolean;
  /** As the control plane, or DNS, describes it now. */
  readonly endpoint?: Pick<Endpoint, 'addresses'>;
  readonly reach?: Reach;
}

/** `auto`: what TLS agrees on (ALPN); HTTP/1.1 in clear. */
export type Protocol = 'http1' | 'http2' | 'auto';

/** Someone who wants a connection. Called back later, exactly one of the two, unless cancelled. */
export interface ConnectionWaiter {
  readonly host: DialHost;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  readonly breaker: ConnectionBreaker;
  /** HTTP/2, whatever the cluster says. */
  readonly isGrpc?: boolean;
  onConnection(connection: Connection): void;
  onConnectFailure(failure: ConnectFailure): void;
}

export interface LaneDialListener extends Pick<DialListener, 'failed'> {
  connected(connection: PooledConnection): void;
}

/** How a lane gets at the world. */
export interface LaneParts {
  readonly host: DialHost;
  readonly tls: SecureTransport | undefined;
  readonly protocol: Protocol;
  readonly breaker: ConnectionBreaker;
  /** HTTP/2 although the cluster does not say so: beside the cluster's own, not in its place. */
  readonly isForced: boolean;
  /** Of the transport: lanes of one host with different keys never share a connection. */
  readonly key: string;
  readonly clock: Clock;
  readonly isClosing: () => boolean;
  readonly open: (lane: Lane, on: LaneDialListener) => Dial;
  /** It would dial, and the breaker does not let it: `dialMore` when there may be room. */
  readonly starved: (lane: Lane) => void;
  /** A connection less counts for the breaker. */
  readonly freed: (breaker: ConnectionBreaker) => void;
  /** Something has begun or ended; `isEmpty` may have changed. */
  readonly changed: (lane: Lane) => void;
}

export interface LaneCounts {
  readonly open: number;
  readonly idle: number;
  readonly dialling: number;
  readonly waiting: number;
}

/**
 * The connections to one host with one kind of transport and for one breaker: those with room, dials under way, and who
 * waits. As in Envoy's pools, as many connections are dialled as those who wait need, and whichever has room first serves
 * whoever has waited longest.
 */
export class Lane implements ConnectionHome {
  readonly host: DialHost;
  readonly tls: SecureTransport | undefined;
  readonly protocol: Protocol;
  readonly breaker: ConnectionBreaker;
  readonly isForced: boolean;
  readonly key: string;
  readonly #parts: LaneParts;
  /** The most recently used last. */
  readonly #ready: PooledConnection[] = [];
  readonly #waiting: ConnectionWaiter[] = [];
  readonly #dials: Dial[] = [];
  readonly #open = new Set<PooledConnection>();
  /** Those that have not had room yet: a peer may allow no streams, or be going away already. */
  readonly #barren = new Set<PooledConnection>();
  /** Requests that a connection of this host takes at a time, as its last one had it. */
  #capacity: number | undefined;
  #timeoutMs = defaultOf('connectTimeoutMs');
  #cluster: Cluster | undefined;
  #limits: ConnectionLimits = {
    idleMs: undefined,
    maxAgeMs: undefined,
    maxRequests: undefined,
    maxStreams: defaultOf('http2Streams'),
  };
  #sweep: Timer | undefined;
  #isRetired = false;
  #end: Timer | undefined;
  /** Being given to those who wait: one that comes back at once goes to the next in the same loop. */
  #serving: PooledConnection | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.tls = parts.tls;
    this.protocol = parts.protocol;
    this.breaker = parts.breaker;
    this.isForced = parts.isForced;
    this.key = parts.key;
  }

  get limits(): ConnectionLimits {
    return this.#limits;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#dials.length === 0 && this.#waiting.length === 0;
  }

  get counts(): LaneCounts {
    return {
      open: this.#open.size,
      idle: this.#ready.length,
      dialling: this.#dials.length,
      waiting: this.#waiting.length,
    };
  }

  /** Another lane has taken its place: nothing is kept once `end`, which closes what is idle by then, has run. */
  retire(end: Timer): void {
    this.#end?.cancel();
    this.#end = end;
    this.#isRetired = true;
  }

  /** What the cluster says now holds for old connections too. */
  adopt(cluster: Cluster): void {
    if (this.#isRetired) this.#revive();
    if (cluster === this.#cluster) return;
    this.#cluster = cluster;
    this.#timeoutMs = positive(cluster.connectTimeoutMs) ?? defaultOf('connectTimeoutMs');
    this.#limits = {
      // Envoy HttpProtocolOptions.idle_timeout: 0 switches it off; the peer's hint and our default still hold.
      idleMs: positive(cluster.idleTimeoutMs),
      maxAgeMs: positive(cluster.maxConnectionDurationMs),
      maxRequests: positive(cluster.maxRequestsPerConnection),
      maxStreams: positive(cluster.http2Options?.maxConcurrentStreams) ?? defaultOf('http2Streams'),
    };
  }

  /** Room on the connection that was used last, so that the others age out. */
  take(nowMs: number): Connection | undefined {
    for (;;) {
      const connection = this.#ready[this.#ready.length - 1];
      if (connection === undefined) return undefined;
      if (connection.isUsable(nowMs)) {
        const lease = connection.lease();
        if (!connection.hasRoom) this.#unready(connection);
        return lease;
      }
      this.#unready(connection);
      connection.drain();
    }
  }

  /** False when as many wait as may. */
  wait(waiter: ConnectionWaiter): boolean {
    if (!this.breaker.takePending()) return false;
    this.#waiting.push(waiter);
    this.dialMore();
    this.#parts.changed(this);
    return true;
  }

  /** Forgets a waiter; a dial that nobody needs any more is ended at once. False: it did not wait here. */
  cancel(waiter: ConnectionWaiter): boolean {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    this.breaker.givePending();
    if (this.#dials.length > 0 && this.#waiting.length <= this.#expected(this.#dials.length - 1)) {
      this.#dials.pop()?.cancel();
      this.#giveConnection();
    }
    this.#parts.changed(this);
    return true;
  }

  /** Envoy ConnPoolImplBase::tryCreateNewConnections: while more wait than the dials under way will serve. */
  dialMore(): void {
    while (this.#waiting.length > this.#expected(this.#dials.length)) {
      if (this.#isHeldBack()) return;
      if (!this.#takeConnection()) {
        this.#parts.starved(this);
        return;
      }
      this.#dial();
    }
  }

  returned(connection: PooledConnection): void {
    if (this.#serving === connection) return;
    if (this.#barren.size > 0 && connection.hasRoom) this.#barren.delete(connection);
    if (this.#waiting.length > 0) this.#serve(connection);
    if (!connection.hasRoom) {
      if (connection.isReady) this.#unready(connection);
    } else if (this.#isRetired || this.host.removed || this.#parts.isClosing()) connection.drain();
    else {
      connection.park();
      if (!connection.isReady) {
        connection.isReady = true;
        this.#ready.push(connection);
      }
      this.#sweepLater();
    }
  }

  draining(connection: PooledConnection): void {
    if (connection.isReady) this.#unready(connection);
    this.dialMore();
  }

  closed(connection: PooledConnection): void {
    if (connection.isReady) this.#unready(connection);
    this.#open.delete(connection);
    // As a failed dial: who dialled on for the same waiter would do so without end.
    if (this.#barren.delete(connection)) this.#failWaiters(BARREN, this.#perDial());
    this.#giveConnection();
    this.dialMore();
    this.#parts.changed(this);
  }

  closeIdle(): void {
    for (const connection of this.#ready.splice(0)) {
      connection.isReady = false;
      connection.drain();
    }
  }

  /** Ends everything; whoever waits is told. */
  destroy(failure: ConnectFailure): void {
    for (const dial of this.#dials.splice(0)) {
      dial.cancel();
      this.#giveConnection();
    }
    for (;;) {
      const waiter = this.#nextWaiter();
      if (waiter === undefined) break;
      waiter.onConnectFailure(failure);
    }
    for (const connection of this.#open) connection.close();
    this.#sweep?.cancel();
    this.#parts.changed(this);
  }

  /** It is wanted again. */
  #revive(): void {
    this.#isRetired = false;
    this.#end?.cancel();
  }

  #dial(): void {
    const forget = (): void => {
      const at = this.#dials.indexOf(dial);
      if (at >= 0) this.#dials.splice(at, 1);
    };
    const dial = this.#parts.open(this, {
      connected: (connection) => {
        forget();
        this.#capacity = connection.capacity;
        this.#open.add(connection);
        this.#barren.add(connection);
        this.returned(connection);
        this.dialMore();
        this.#parts.changed(this);
      },
      failed: (failure) => {
        const carried = this.#perDial();
        forget();
        this.#failWaiters(failure, carried);
        this.#giveConnection();
        this.dialMore();
        this.#parts.changed(this);
      },
    });
    this.#dials.push(dial);
  }

  /** A failed dial fails those it was for, unless other dials are still enough for all who wait. */
  #failWaiters(failure: ConnectFailure, carried: number): void {
    const excess = this.#waiting.length - this.#expected(this.#dials.length);
    for (let left = Math.min(excess, carried); left > 0; left--) this.#nextWaiter()?.onConnectFailure(failure);
  }

  #serve(connection: PooledConnection): void {
    const outer = this.#serving;
    this.#serving = connection;
    while (connection.hasRoom) {
      const next = this.#nextWaiter();
      if (next === undefined) break;
      // The dial meant for the one that is served goes on; if everybody is, it no longer holds the process.
      if (this.#waiting.length === 0) for (const dial of this.#dials) dial.unref();
      next.onConnection(connection.lease());
    }
    this.#serving = outer;
  }

  #nextWaiter(): ConnectionWaiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.breaker.givePending();
    return waiter;
  }

  #unready(connection: PooledConnection): void {
    connection.isReady = false;
    const last = this.#ready.length - 1;
    if (this.#ready[last] === connection) this.#ready.pop();
    else this.#ready.splice(this.#ready.indexOf(connection), 1);
  }

  #expected(dials: number): number {
    return dials * this.#perDial();
  }

  #perDial(): number {
    if (this.protocol === 'http1') return 1;
    const { maxStreams, maxRequests = UNLIMITED } = this.#limits;
    return Math.max(1, Math.min(this.#capacity ?? maxStreams, maxRequests));
  }

  /** A peer that allows no stream for now would not allow one on another connection either. */
  #isHeldBack(): boolean {
    if (this.#capacity !== 0) return false;
    for (const connection of this.#open) if (connection.capacity === 0) return true;
    return false;
  }

  /** As in Envoy the host's first connection is always allowed: nobody waits for ever. */
  #takeConnection(): boolean {
    const count = this.#open.size + this.#dials.length;
    return (count === 0 || count < this.breaker.maxConnectionsPerHost) && this.breaker.takeConnection(count === 0);
  }

  #giveConnection(): void {
    this.breaker.giveConnection();
    this.#parts.freed(this.breaker);
  }

  /** Idle connections are looked at when they are wanted, too; this is for those nobody wants. */
  #sweepLater(): void {
    if (this.#sweep !== undefined || (this.protocol === 'http1' && this.#limits.maxAgeMs === undefined)) return;
    const { clock } = this.#parts;
    const nowMs = clock.now();
    const next = this.#ready.reduce((least, connection) => Math.min(least, connection.untilMs()), UNLIMITED);
    if (next === UNLIMITED) return;
    this.#sweep = clock.after(Math.max(1, next - nowMs), () => {
      this.#sweep = undefined;
      this.#closeOld(clock.now());
      if (this.#ready.length > 0) this.#sweepLater();
    });
  }

  #closeOld(nowMs: number): void {
    for (const connection of this.#ready.filter((it) => !it.isUsable(nowMs))) {
      this.#unready(connection);
      connection.drain();
    }
  }
}

const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;

const BARREN = new ConnectFailure('lost', 'the connection was closed before it took a request');
