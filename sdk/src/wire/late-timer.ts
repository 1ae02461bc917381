import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

/**
 * `clock.after` for timers that declare something failed. After a stall of the event loop timers run before sockets: one
 * that fires late waits one more turn, so that an answer already in the kernel counts.
 */
export function afterSockets(clock: Clock, ms: number, run: () => void): Timer {
  const due = clock.now() + ms;
  let timer = clock.after(ms, () => {
    if (clock.now() - due <= defaultOf('stallMs')) run();
    else timer = clock.after(0, run);
  });
  return { cancel: () => timer.cancel() };
}
