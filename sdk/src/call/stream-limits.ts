import type { Timer } from '../clock.ts';
import { type Patience, patientTimer } from '../wire/late-timer.ts';

/** ms; 0 = none. */
export interface StreamTimes {
  /** Longest silence, in either direction. */
  readonly idleMs: number;
  /** Longest time altogether. */
  readonly durationMs: number;
}

/** Ends a stream that is silent, or lasts, for too long. Made only where there is such a limit. */
export class StreamLimits {
  readonly #patience: Patience;
  readonly #idleMs: number;
  readonly #expire: (which: 'idle' | 'duration') => void;
  readonly #longest: Timer | undefined;
  #idle: Timer | undefined;
  #lastMs: number;

  constructor(
    patience: Patience,
    { idleMs, durationMs }: StreamTimes,
    nowMs: number,
    expire: (which: 'idle' | 'duration') => void,
  ) {
    this.#patience = patience;
    this.#idleMs = idleMs;
    this.#expire = expire;
    this.#lastMs = nowMs;
    if (durationMs > 0) this.#longest = patientTimer(patience, durationMs, () => expire('duration'), nowMs);
    if (idleMs > 0) this.#watch(idleMs, nowMs);
  }

  /** Something has gone by. */
  touch(): void {
    if (this.#idleMs > 0) this.#lastMs = this.#patience.clock.now();
  }

  close(): void {
    this.#longest?.cancel();
    this.#idle?.cancel();
  }

  /** One timer that looks when it fires, not one for each piece. */
  #watch(ms: number, nowMs: number): void {
    this.#idle = patientTimer(
      this.#patience,
      ms,
      () => {
        const now = this.#patience.clock.now();
        const leftMs = this.#lastMs + this.#idleMs - now;
        if (leftMs > 0) this.#watch(leftMs, now);
        else this.#expire('idle');
      },
      nowMs,
    );
  }
}
