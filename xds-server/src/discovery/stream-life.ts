import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { Peer } from './peer.ts';

const DEADLINE_EXCEEDED = 4;
const UNAUTHENTICATED = 16;

/** Times beyond a timer's reach are waited for in parts. */
const LONGEST_WAIT_MS = 86_400_000;

/** What ends a stream by the clock: a first request that never comes, and the end of the credential it rests on. */
export class StreamLife {
  readonly #clock: Clock;
  readonly #end: (code: number, message: string) => void;
  #silence: Timer | undefined;
  #expiry: Timer | undefined;

  constructor(clock: Clock, { principal }: Peer, end: (code: number, message: string) => void) {
    this.#clock = clock;
    this.#end = end;
    const patienceMs = defaultOf('firstRequestMs');
    this.#silence = clock.after(patienceMs, () =>
      end(DEADLINE_EXCEEDED, `no request came within ${Math.round(patienceMs / 1_000)} s`),
    );
    if (principal?.expiresAtMs !== undefined) this.#expireAt(principal.expiresAtMs);
  }

  /** A request came. */
  spoken(): void {
    this.#silence?.cancel();
    this.#silence = undefined;
  }

  close(): void {
    this.spoken();
    this.#expiry?.cancel();
  }

  #expireAt(atMs: number): void {
    const leftMs = atMs - this.#clock.wallTime();
    this.#expiry = this.#clock.after(Math.min(Math.max(leftMs, 0), LONGEST_WAIT_MS), () => {
      if (this.#clock.wallTime() < atMs) this.#expireAt(atMs);
      else
        this.#end(
          UNAUTHENTICATED,
          'the credential that this stream rests on has expired: connect again with a new one',
        );
    });
  }
}
