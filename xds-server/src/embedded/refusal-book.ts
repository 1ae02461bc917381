import type { Refusal } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';

/** Somebody who was not let in. */
export interface RefusedClient {
  readonly time: string;
  /** undefined: over a unix socket. */
  readonly address: string | undefined;
  readonly reason: Refusal['refused'];
  readonly message: string;
}

/** The last of them: what a client whose connection is merely closed is not told. */
export class RefusalBook {
  readonly #last: RefusedClient[] = [];

  add({ refused: reason, message }: Refusal, address: string | undefined, atMs: number): void {
    this.#last.push({ time: new Date(atMs).toISOString(), address, reason, message: message.slice(0, 1_000) });
    if (this.#last.length > defaultOf('refusalsKept')) this.#last.shift();
  }

  /** The newest first. */
  get last(): readonly RefusedClient[] {
    return this.#last.toReversed();
  }
}
