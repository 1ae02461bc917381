import type { Clock } from '../clock.ts';

/** A build that shares the thread: it runs in slices with a turn of the event loop between them. */
export interface SlicedBuild {
  cancel(): void;
}

export interface SlicedRun<T> {
  readonly clock: Clock;
  /** Longest slice. */
  readonly sliceMs: number;
  readonly steps: Generator<void, T>;
  readonly done: (value: T) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Runs the first slice at once, so a small build is done on return. A slice stops at half of its time: a step that
 * meets a garbage collection still fits.
 */
export function runSliced<T>({ clock, sliceMs, steps, done, failed }: SlicedRun<T>): SlicedBuild {
  let cancelled = false;
  const slice = (): void => {
    if (cancelled) return;
    try {
      const until = clock.now() + sliceMs / 2;
      do {
        const step = steps.next();
        if (step.done) {
          done(step.value);
          return;
        }
      } while (clock.now() < until);
    } catch (error) {
      failed(error);
      return;
    }
    setImmediate(slice);
  };
  slice();
  return {
    cancel() {
      cancelled = true;
    },
  };
}
