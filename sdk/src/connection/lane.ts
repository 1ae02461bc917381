import { defaultOf } from '../defaults.ts';
import type { Cluster } from '../model/cluster.ts';
import type { ConnectFailure } from './connect-failure.ts';
import type { Connection, ConnectionHome, ConnectionLimits } from './connection.ts';
import type { Dial, DialListener } from './dial.ts';
import type { TlsTarget } from './tls.ts';

/** The host a connection goes to; the same object for as long as its upstream names the address. */
export interface DialHost {
  /** IP literal, host name or `unix:PATH`. */
  readonly address: string;
  readonly port: number;
  /** No longer an endpoint: what is under way may end, nothing is kept. */
  readonly removed: boolean;
}

/** Someone who wants a connection. Called back later, exactly one of the two, unless cancelled. */
export interface ConnectionWaiter {
  readonly host: DialHost;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  onConnection(connection: Connection): void;
  onConnectFailure(failure: ConnectFailure): void;
}

export interface LaneDialListener extends Pick<DialListener, 'failed'> {
  connected(connection: Connection): void;
}

/** How a lane gets at the world. */
export interface LaneParts {
  readonly host: DialHost;
  readonly tls: TlsTarget | undefined;
  /** Of the transport: lanes of one host with different keys never share a connection. */
  readonly key: string;
  readonly isClosing: () => boolean;
  readonly open: (lane: Lane, on: LaneDialListener) => Dial;
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
 * The connections to one host with one kind of transport: idle ones, dials under way, and who waits. As in Envoy's
 * HTTP/1 pool, one connection is dialled for each waiter, and whichever is free first serves whoever has waited longest.
 */
export class Lane implements ConnectionHome {
  readonly host: DialHost;
  readonly tls: TlsTarget | undefined;
  readonly key: string;
  readonly #parts: LaneParts;
  /** The most recently used last. */
  readonly #idle: Connection[] = [];
  readonly #waiting: ConnectionWaiter[] = [];
  readonly #dials: Dial[] = [];
  readonly #open = new Set<Connection>();
  #timeoutMs = defaultOf('connectTimeoutMs');
  #cluster: Cluster | undefined;
  #limits: ConnectionLimits = { idleMs: undefined, maxAgeMs: undefined, maxRequests: undefined };

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.tls = parts.tls;
    this.key = parts.key;
  }

  get limits(): ConnectionLimits {
    return this.#limits;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#dials.length === 0 && this.#waiting.length === 0;
  }

  get counts(): LaneCounts {
    return {
      open: this.#open.size,
      idle: this.#idle.length,
      dialling: this.#dials.length,
      waiting: this.#waiting.length,
    };
  }

  /** What the cluster says now holds for old connections too. */
  adopt(cluster: Cluster): void {
    if (cluster === this.#cluster) return;
    this.#cluster = cluster;
    this.#timeoutMs = positive(cluster.connectTimeoutMs) ?? defaultOf('connectTimeoutMs');
    this.#limits = {
      // Envoy HttpProtocolOptions.idle_timeout: 0 switches it off; the peer's hint and our default still hold.
      idleMs: positive(cluster.idleTimeoutMs),
      maxAgeMs: positive(cluster.maxConnectionDurationMs),
      maxRequests: positive(cluster.maxRequestsPerConnection),
    };
  }

  /** The most recently used idle connection, so that the others age out. */
  take(nowMs: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.isUsable(nowMs)) return connection;
      connection.close();
    }
  }

  wait(waiter: ConnectionWaiter): void {
    this.#waiting.push(waiter);
    this.#dial();
    this.#parts.changed(this);
  }

  /** Forgets a waiter; a dial that nobody needs any more is ended at once. */
  cancel(waiter: ConnectionWaiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    if (this.#dials.length > this.#waiting.length) this.#dials.pop()?.cancel();
    this.#parts.changed(this);
  }

  returned(connection: Connection): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      // The dial meant for the one that is served goes on; if everybody is, it no longer holds the process.
      if (this.#waiting.length === 0) for (const dial of this.#dials) dial.unref();
      next.onConnection(connection);
    } else if (this.host.removed || this.#parts.isClosing()) connection.close();
    else {
      connection.park();
      this.#idle.push(connection);
    }
  }

  closed(connection: Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#open.delete(connection);
    this.#parts.changed(this);
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** Ends everything; whoever waits is told. */
  destroy(failure: ConnectFailure): void {
    for (const dial of this.#dials.splice(0)) dial.cancel();
    for (const waiter of this.#waiting.splice(0)) waiter.onConnectFailure(failure);
    for (const connection of this.#open) connection.close();
    this.#parts.changed(this);
  }

  #dial(): void {
    const forget = (): void => {
      const at = this.#dials.indexOf(dial);
      if (at >= 0) this.#dials.splice(at, 1);
    };
    const dial = this.#parts.open(this, {
      connected: (connection) => {
        forget();
        this.#open.add(connection);
        this.returned(connection);
      },
      failed: (failure) => {
        forget();
        // One failed dial fails one call, unless other dials are still enough for all who wait.
        if (this.#waiting.length > this.#dials.length) this.#waiting.shift()?.onConnectFailure(failure);
        this.#parts.changed(this);
      },
    });
    this.#dials.push(dial);
  }
}

const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;
