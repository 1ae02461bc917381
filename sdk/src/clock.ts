/** Time and chance, injected everywhere; this file alone touches the real ones. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { SharedTimers, type Timer } from './shared-timers.ts';

export type { Timer } from './shared-timers.ts';

export interface Clock {
  /** Monotonic, ms. */
  now(): number;
  /** Wall clock, ms since the epoch: for certificates and logs only. */
  wallTime(): number;
  /**
   * Runs once after `ms` (clamped to what a timer can hold); never keeps the process alive. Who has just asked for the
   * time says what it was.
   */
  after(ms: number, run: () => void, nowMs?: number): Timer;
}

/** Runs something once sockets that are ready have been read: after the event loop's next poll. */
export type Turn = (run: () => void) => void;

/** An unsigned 32-bit integer, uniform. */
export type Random = () => number;

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timer that many wait for would keep the context of the one that began it. */
const outsideCalls = AsyncLocalStorage.snapshot();

const timers = new SharedTimers(
  () => performance.now(),
  (ms, run) => {
    const timer = outsideCalls(() => setTimeout(run, ms).unref());
    return { cancel: () => clearTimeout(timer) };
  },
);

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after: (ms, run, nowMs) => timers.after(ms, run, nowMs),
};

export const systemTurn: Turn = (run) => {
  setImmediate(run);
};

export const systemRandom: Random = () => Math.floor(Math.random() * 0x1_0000_0000);

/** Keeps the process alive until cancelled: with nothing but unref'd sockets and timers Node leaves in the middle of an await. */
export function holdProcess(): Timer {
  const timer = setInterval(() => {}, LONGEST_TIMER_MS);
  return { cancel: () => clearInterval(timer) };
}

/** A timer that a call waits for, with nothing else under way: unlike the clock's own it keeps the process alive. */
export function awaitedTimer(clock: Clock, ms: number, run: () => void): Timer {
  const hold = holdProcess();
  const timer = clock.after(ms, () => {
    hold.cancel();
    run();
  });
  return {
    cancel() {
      hold.cancel();
      timer.cancel();
    },
  };
}
