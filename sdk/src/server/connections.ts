import type { Socket } from 'node:net';
import type { Clock, Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshError } from '../errors.ts';
import type { InboundLimits, InboundListener } from '../model/inbound.ts';
import { asksTheSame, chooseChain } from './chain.ts';
import { GuardedConnection, type Taken } from './connection.ts';

/** All connections of a guarded port. */
export class Connections {
  readonly #clock: Clock;
  readonly #later: Turn;
  readonly #onlyMeshTls: boolean;
  readonly #all = new Set<GuardedConnection>();
  #limits: InboundLimits = {};
  #emptied: (() => void)[] = [];
  /** Requests under way, of all connections. */
  active = 0;

  /** `onlyMeshTls`: as for `chooseChain`. */
  constructor(clock: Clock, later: Turn, onlyMeshTls = false) {
    this.#clock = clock;
    this.#onlyMeshTls = onlyMeshTls;
    this.#later = later;
  }

  get size(): number {
    return this.#all.size;
  }

  get limits(): InboundLimits {
    return this.#limits;
  }

  /** undefined: there are as many as there may be (Sidecar.inboundConnectionPool.tcp.maxConnections). */
  add(socket: Socket): GuardedConnection | undefined {
    const { maxConnections } = this.#limits;
    if (maxConnections !== undefined && this.#all.size >= maxConnections) return undefined;
    const connection = new GuardedConnection(socket, this.#clock, () => this.#limits);
    this.#all.add(connection);
    // Until somebody else listens; what follows is its close.
    socket.on('error', () => {});
    tag(socket, connection);
    socket.once('close', () => {
      this.#all.delete(connection);
      if (this.#all.size === 0) for (const run of this.#emptied.splice(0)) run();
    });
    return connection;
  }

  /** Nobody is served any more. */
  expel(): void {
    for (const connection of this.#all) {
      if (connection.taken !== undefined) connection.drain(defaultOf('guardDrainMs'));
    }
  }

  /** Connections that would not be taken any more, or not in this way, are drained. */
  follow(listener: InboundListener): void {
    this.#limits = listener.limits;
    for (const connection of this.#all) {
      const { offer, taken } = connection;
      if (taken === undefined) continue;
      const chain = offer && chooseChain(listener, offer, this.#onlyMeshTls);
      const isSame = offer && chain && sameWay(taken, wayOf(chain.tls !== undefined, offer.transport));
      // The names that may call, or whether a certificate is asked for at all, may be others.
      if (isSame && asksTheSame(connection.chain?.tls, chain.tls)) connection.chain = chain;
      else if (taken !== 'probe') connection.drain(defaultOf('guardDrainMs'));
    }
  }

  /** Judges every peer anew, a slice at a time; those refused are closed at once. */
  recheck(refused: (connection: GuardedConnection, why: MeshError) => void): void {
    const waiting = [...this.#all].filter(({ secured }) => secured !== undefined);
    const slice = (): void => {
      const until = this.#clock.now() + defaultOf('sliceMs');
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const why = next.socket.destroyed ? undefined : next.secured?.client.recheck();
        if (why !== undefined) refused(next, why);
        if (this.#clock.now() >= until) break;
      }
      if (waiting.length > 0) this.#later(slice);
    };
    slice();
  }

  /** Resolves when the last one has ended; those that take longer than `graceMs` are destroyed. */
  drain(graceMs: number): Promise<void> {
    for (const connection of this.#all) connection.drain(graceMs);
    return this.#all.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#emptied.push(resolve));
  }

  destroy(): void {
    for (const connection of this.#all) connection.destroy();
  }
}

const wayOf = (isTerminated: boolean, transport: 'tls' | 'raw_buffer'): Taken =>
  isTerminated ? 'mutual-tls' : transport === 'tls' ? 'own-tls' : 'plain';

const sameWay = (before: Taken, now: Taken): boolean => before === now || (before === 'probe' && now === 'plain');

const CONNECTION: unique symbol = Symbol('inmesh.connection');

interface Tagged {
  [CONNECTION]?: GuardedConnection;
}

/** A property, no map: what HTTP/2 shows of a socket is a proxy, which has the properties and not the identity. */
export function tag(socket: object, connection: GuardedConnection): void {
  Object.defineProperty(socket, CONNECTION, { value: connection });
}

export function connectionOf(socket: unknown): GuardedConnection | undefined {
  if (typeof socket !== 'object' || socket === null) return undefined;
  try {
    return (socket as Tagged)[CONNECTION];
  } catch {
    // HTTP/2's proxy of a session that is gone throws.
    return undefined;
  }
}
