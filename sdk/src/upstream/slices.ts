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

interface Job {
  readonly clock: Clock;
  readonly sliceMs: number;
  cancelled: boolean;
  /** One small step; false when the job is over. */
  step(): boolean;
}

/**
 * One for the process: a change of configuration may start dozens of builds at once, and a slice for each of them in one
 * turn would be a stall.
 */
const waiting: Job[] = [];
let spentMs = 0;
let turnDue = false;

/**
 * Runs the first slice at once if this turn has time left, so that a small build is usually over on return. A turn stops
 * at half of its time: a step that meets a garbage collection still fits.
 */
export function runSliced<T>({ clock, sliceMs, steps, done, failed }: SlicedRun<T>): SlicedBuild {
  const job: Job = {
    clock,
    sliceMs,
    cancelled: false,
    step() {
      let step: IteratorResult<void, T>;
      try {
        step = steps.next();
      } catch (error) {
        failed(error);
        return false;
      }
      if (step.done) done(step.value);
      return step.done !== true;
    },
  };
  if (waiting.length > 0 || !work(job)) waiting.push(job);
  scheduleTurn();
  return {
    cancel() {
      job.cancelled = true;
      const place = waiting.indexOf(job);
      if (place >= 0) waiting.splice(place, 1);
    },
  };
}

/** Steps until the turn is spent; true when the job is over. */
function work(job: Job): boolean {
  const { clock, sliceMs } = job;
  const begin = clock.now();
  const until = begin + sliceMs / 2 - spentMs;
  let more = !job.cancelled;
  for (let now = begin; more && now < until; now = clock.now()) more = job.step() && !job.cancelled;
  spentMs += clock.now() - begin;
  return !more;
}

function scheduleTurn(): void {
  if (turnDue || (waiting.length === 0 && spentMs === 0)) return;
  turnDue = true;
  setImmediate(takeTurn);
}

function takeTurn(): void {
  turnDue = false;
  spentMs = 0;
  // Each job that waits now gets its try; those whose turn it was go to the end.
  for (let tries = waiting.length; tries > 0; tries--) {
    const job = waiting.shift();
    if (job === undefined) break;
    if (!work(job)) {
      waiting.push(job);
      break;
    }
  }
  scheduleTurn();
}
