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
  #stream: AdsStream | undefined;

  constructor(hold: () => Timer) {
    this.#hold = hold;
  }

  ref(): void {
    this.#holders += 1;
    if (this.#holders > 1) return;
    this.#held = this.#hold();
    this.#stream?.ref();
  }

  unref(): void {
    if (this.#holders === 0) return;
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#held?.cancel();
    this.#stream?.unref();
  }

  /** The stream in use from now on. */
  attach(stream: AdsStream | undefined): void {
    this.#stream = stream;
    if (this.#holders > 0) stream?.ref();
  }

  end(): void {
    this.#holders = 0;
    this.#held?.cancel();
  }
}
