import type { Clock, Timer } from '../clock.ts';
import { afterSockets } from './late-timer.ts';

export interface KeepaliveParts {
  /** Sends a PING; `answered` when its answer comes. */
  ping(answered: () => void): void;
  readonly clock: Clock;
  /** No PING where undefined. */
  readonly intervalMs: number | undefined;
  readonly timeoutMs: number;
  readonly onDead: (reason: string) => void;
}

export interface Keepalive {
  start(): void;
  stop(): void;
}

/** A half-open connection (no FIN ever came) is found by PING (gRFC A8); every answer starts the next interval. */
export function createKeepalive({ ping, clock, intervalMs, timeoutMs, onDead }: KeepaliveParts): Keepalive {
  let timer: Timer | undefined;
  let isStopped = false;

  function ask(): void {
    timer = afterSockets(clock, timeoutMs, () => onDead(`no answer to a PING within ${timeoutMs} ms`));
    ping(() => {
      timer?.cancel();
      if (!isStopped) next();
    });
  }

  function next(): void {
    if (intervalMs !== undefined) timer = clock.after(intervalMs, ask);
  }

  return {
    start: next,
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}
