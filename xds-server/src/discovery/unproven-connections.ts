import type { Socket } from 'node:net';
import type { Clock, Timer } from '@inmesh/sdk/internal/clock';

export interface UnprovenParts {
  readonly clock: Clock;
  /** How many there may be at a time. */
  readonly most: number;
  /** How long one may take. */
  readonly patienceMs: number;
  /** Told before it is closed. */
  readonly dropped: (socket: Socket, why: string) => void;
}

/**
 * Connections of whom nobody knows yet who they are: handshakes that never end, requests that never do. Beyond so many the
 * oldest makes room, which honest clients are not: theirs takes milliseconds.
 */
export class UnprovenConnections {
  readonly #parts: UnprovenParts;
  readonly #open = new Map<Socket, Timer>();

  constructor(parts: UnprovenParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#open.size;
  }

  add(socket: Socket): void {
    const { clock, most, patienceMs } = this.#parts;
    const [oldest] = this.#open.keys();
    if (this.#open.size >= most && oldest !== undefined) this.#drop(oldest, `${most} others prove nothing either`);
    const tooLong = `it proved nothing within ${Math.round(patienceMs / 1_000)} s`;
    this.#open.set(
      socket,
      clock.after(patienceMs, () => this.#drop(socket, tooLong)),
    );
    socket.once('close', () => this.proven(socket));
  }

  /** It is known who is there, or it is gone. */
  proven(socket: Socket): void {
    this.#open.get(socket)?.cancel();
    this.#open.delete(socket);
  }

  #drop(socket: Socket, why: string): void {
    this.proven(socket);
    this.#parts.dropped(socket, why);
    socket.destroy();
  }
}
