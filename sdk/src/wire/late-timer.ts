import { type Clock, systemTurn, type Timer, type Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

export interface Patience {
  readonly clock: Clock;
  readonly turn: Turn;
}

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
    if (clock.now() - due <= defaultOf('stallMs')) return run();
    turn(() => {
      if (isCancelled) return;
      late = true;
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
