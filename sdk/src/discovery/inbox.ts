import type { Slices } from './slices.ts';

type Task = (slices: Slices) => Promise<void>;

/** Responses wait here and are taken one after the other: a route must not be used before the cluster sent ahead of it. */
export class Inbox {
  readonly #startSlices: () => Slices;
  readonly #waiting: Task[] = [];
  #isReading = false;

  constructor(startSlices: () => Slices) {
    this.#startSlices = startSlices;
  }

  push(task: Task): void {
    this.#waiting.push(task);
    if (!this.#isReading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const slices = this.#startSlices();
    for (let task = this.#waiting.shift(); task !== undefined; task = this.#waiting.shift()) {
      if (slices.isSpent()) await slices.next();
      await task(slices);
    }
    this.#isReading = false;
  }
}
