import type { Socket } from 'node:net';
import { ConnectFailure } from '../connection/connect-failure.ts';
import { type DialTarget, dial } from '../connection/dial.ts';
import type { Patience } from '../wire/late-timer.ts';

/** One dial: the socket, or why there is none. Rejects with the signal's reason, and then leaves nothing open. */
export function dialHost(
  target: DialTarget,
  patience: Patience,
  signal: AbortSignal | undefined,
): Promise<Socket | ConnectFailure> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      dialling.cancel();
      reject(signal?.reason);
    };
    const settle = (result: Socket | ConnectFailure): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    };
    const dialling = dial(target, patience, { connected: settle, failed: settle });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const isFailure = (result: unknown): result is ConnectFailure => result instanceof ConnectFailure;
