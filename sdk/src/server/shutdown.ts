import { defaultOf } from '../defaults.ts';
import type { ShutdownOptions } from './options.ts';

type Close = (times: { readonly delayMs: number; readonly graceMs: number }) => Promise<void>;

/**
 * Closes on a signal, and lets the process end by it as it would have without us. The second signal ends it at once. Returns
 * what gives the signals back.
 */
export function onSignals(options: true | ShutdownOptions, close: Close): () => void {
  const {
    signals = ['SIGTERM'],
    delayMs = defaultOf('guardDelayMs'),
    graceMs = defaultOf('guardGraceMs'),
  }: ShutdownOptions = options === true ? {} : options;
  let isOver = false;
  let isClosing = false;
  const release = (): void => {
    for (const signal of signals) process.off(signal, hear);
  };
  const end = (signal: NodeJS.Signals): void => {
    if (isOver) return;
    isOver = true;
    release();
    // Whoever else listens decides himself when the process ends.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const hear = (signal: NodeJS.Signals): void => {
    if (isClosing) {
      end(signal);
      return;
    }
    isClosing = true;
    close({ delayMs, graceMs }).then(
      () => end(signal),
      () => end(signal),
    );
  };
  for (const signal of signals) process.on(signal, hear);
  return () => {
    if (!isClosing) release();
  };
}
