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
export const patientTimer = (patience: Patience, ms: number, run: () => void, nowMs = patience.clock.now()): Timer =>
  new PatientTimer(patience, ms, run, nowMs);

const STALL_MS = defaultOf('stallMs');

/** Every call has one or two. */
class PatientTimer implements Timer {
  readonly #patience: Patience;
  readonly #ms: number;
  readonly #run: () => void;
  readonly #dueMs: number;
  readonly #timer: Timer;
  #isCancelled = false;

  constructor(patience: Patience, ms: number, run: () => void, nowMs: number) {
    this.#patience = patience;
    this.#ms = ms;
    this.#run = run;
    this.#dueMs = nowMs + ms;
    this.#timer = patience.clock.after(ms, () => this.#fire(), nowMs);
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#timer.cancel();
  }

  #fire(): void {
    const { clock, turn } = this.#patience;
    const overdueMs = clock.now() - this.#dueMs;
    if (overdueMs <= STALL_MS) {
      this.#run();
      return;
    }
    turn(() => {
      if (this.#isCancelled) return;
      late = overdueMs > Math.max(defaultOf('excuseMs'), this.#ms * EXCUSE_SHARE);
      try {
        this.#run();
      } finally {
        late = false;
      }
    });
  }
}

/** The same, with the process's own sockets. */
export const afterSockets = (clock: Clock, ms: number, run: () => void): Timer =>
  patientTimer({ clock, turn: systemTurn }, ms, run);
