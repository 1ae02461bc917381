import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { runSliced, type SlicedBuild } from './slices.ts';

/** Something that is made again and again from an input that changes. */
export interface Making<T> {
  readonly clock: Clock;
  /** Of the input as it is when they begin. */
  steps(): Generator<void, T>;
  made(value: T): void;
  failed(error: unknown): void;
}

/**
 * Makes it from the newest input. One making runs at a time and at most one waits, so one that takes seconds is finished
 * however often the input changes.
 */
export class Newest<T> {
  readonly #making: Making<T>;
  #running: SlicedBuild | undefined;
  #isAskedAgain = false;
  #waiters: (() => void)[] | undefined;

  constructor(making: Making<T>) {
    this.#making = making;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** `sliced` when it may take more than a moment; at once, it ends what is under way: that is no longer wanted. */
  ask(sliced: boolean): void {
    if (!sliced) {
      this.#stop();
      this.#making.made(atOnce(this.#making.steps()));
      this.#finish();
    } else if (this.#running === undefined) this.#begin();
    else this.#isAskedAgain = true;
  }

  /** Resolves once it is of the present input. */
  settled(): Promise<void> {
    if (this.#running === undefined) return Promise.resolve();
    const waiters = this.#waiters ?? [];
    this.#waiters = waiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  close(): void {
    this.#stop();
    this.#finish();
  }

  #begin(): void {
    this.#isAskedAgain = false;
    const making = this.#making;
    let over = false;
    const build = runSliced({
      clock: making.clock,
      sliceMs: defaultOf('sliceMs'),
      steps: making.steps(),
      done: (value) => {
        over = true;
        making.made(value);
        this.#finish();
      },
      failed: (error) => {
        over = true;
        making.failed(error);
        this.#finish();
      },
    });
    if (!over) this.#running = build;
  }

  #finish(): void {
    this.#running = undefined;
    if (this.#isAskedAgain) {
      this.#begin();
      return;
    }
    const resolved = this.#waiters;
    this.#waiters = undefined;
    for (const resolve of resolved ?? []) resolve();
  }

  #stop(): void {
    this.#running?.cancel();
    this.#isAskedAgain = false;
  }
}

export function atOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
