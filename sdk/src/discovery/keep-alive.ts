import type { Timer } from '../clock.ts';
import type { AdsStream } from './transport.ts';

/**
 * Keeps the process alive while someone waits for an answer, counted. The stream alone is not enough: between two streams
 * there is none, and an in-process one is nothing Node waits for.
 */
export class KeepAlive {
  readonly #hold: () => Timer;
  #holders = 0;
  #held: Timer | undefined;
  readonly #streams = new Set<AdsStream>();

  constructor(hold: () => Timer) {
    this.#hold = hold;
  }

  ref(): void {
    this.#holders += 1;
    if (this.#holders > 1) return;
    this.#held = this.#hold();
    for (const stream of this.#streams) stream.ref();
  }

  unref(): void {
    if (this.#holders === 0) return;
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#held?.cancel();
    for (const stream of this.#streams) stream.unref();
  }

  /** The streams in use: one more, or one less. */
  replace(opened: AdsStream | undefined, closed: AdsStream | undefined): void {
    if (closed !== undefined) this.#streams.delete(closed);
    if (opened === undefined) return;
    this.#streams.add(opened);
    if (this.#holders > 0) opened.ref();
  }

  end(): void {
    this.#holders = 0;
    this.#held?.cancel();
  }
}
