import { type Clock, systemTurn, type Timer, type Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

export interface Patience {
  readonly clock: Clock;
  readonly turn: Turn;
}

/** Of its time, that a timer must be late by to excuse what it fails. */
const EXCUSE_SHARE = 0.2;

let late = false;

/** What runs now was called by a timer that a stall made late: what it fails has not had its time, and is not to blame. */
export const isLate = (): boolean => late;

/**
 * A timer that fails something. After a stall of the event loop timers run before sockets; one that fires late gives
 * the sockets one turn first, so that an answer already in the kernel counts.
 */
export function patientTimer({ clock, turn }: Patience, ms: number, run: () => void, nowMs = clock.now()): Timer {
  const due = nowMs + ms;
  let isCancelled = false;
  const timer = clock.after(ms, () => {
    const overdueMs = clock.now() - due;
    if (overdueMs <= defaultOf('stallMs')) return run();
    turn(() => {
      if (isCancelled) return;
      late = overdueMs > Math.max(defaultOf('excuseMs'), ms * EXCUSE_SHARE);
      try {
        run();
      } finally {
        late = false;
      }
    });
  });
  return {
    cancel() {
      isCancelled = true;
      timer.cancel();
    },
  };
}

/** The same, with the process's own sockets. */
export const afterSockets = (clock: Clock, ms: number, run: () => void): Timer =>
  patientTimer({ clock, turn: systemTurn }, ms, run);
