import type { LiveTarget } from '../call/live-target.ts';
import { holdProcess } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import type { ConnectRuntime } from './runtime.ts';

/** The first settled state of a target, or what it still is when the time for it is over. Rejects with the signal's reason. */
export async function settledState(
  runtime: ConnectRuntime,
  target: string,
  signal: AbortSignal | undefined,
): Promise<TargetState<LiveTarget>> {
  let state = runtime.lookupConnection(target);
  if (state.kind !== 'pending') return state;
  const stopped = Promise.withResolvers<undefined>();
  const timer = runtime.clock.after(runtime.configTimeoutMs, () => stopped.resolve(undefined));
  const onAbort = (): void => stopped.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  // Neither the control plane's socket nor a timer of ours keeps the process alive.
  const hold = holdProcess();
  try {
    while (state.kind === 'pending') {
      const settled: TargetState<LiveTarget> | undefined = await Promise.race([state.settled, stopped.promise]);
      if (settled === undefined) break;
      // By now there may be a newer one, which may be waiting for more.
      state = runtime.lookupConnection(target);
    }
    return state;
  } finally {
    timer.cancel();
    hold.cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}
