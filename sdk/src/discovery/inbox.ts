import type { Slices } from './slices.ts';

/** More unread responses than this and the server is not talking to us but flooding us. */
const LONGEST = 256;

/** Responses wait here and are taken one after the other: a route must not be used before the cluster sent ahead of it. */
export class Inbox {
  readonly #take: (bytes: Uint8Array, slices: Slices) => Promise<void>;
  readonly #startSlices: () => Slices;
  readonly #waiting: Uint8Array[] = [];
  #isReading = false;

  constructor(startSlices: () => Slices, take: (bytes: Uint8Array, slices: Slices) => Promise<void>) {
    this.#startSlices = startSlices;
    this.#take = take;
  }

  /** False when too many wait already. */
  push(bytes: Uint8Array): boolean {
    this.#waiting.push(bytes);
    if (this.#waiting.length > LONGEST) return false;
    if (!this.#isReading) void this.#read();
    return true;
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const slices = this.#startSlices();
    for (let bytes = this.#waiting.shift(); bytes !== undefined; bytes = this.#waiting.shift()) {
      if (slices.isSpent()) await slices.next();
      await this.#take(bytes, slices);
    }
    this.#isReading = false;
  }
}
