import { awaitedTimer, type Clock, type Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import type { GrpcTarget } from './target.ts';

/** grpc-js's ConnectivityState. */
export const STATE = { idle: 0, connecting: 1, ready: 2, transientFailure: 3, shutdown: 4 } as const;

/** What the mesh knows of a target; undefined: it is none of the mesh's, and is called directly. */
export function stateOf(runtime: MeshRuntime, { dialled, isFederated }: GrpcTarget): number | undefined {
  if (dialled === undefined) return undefined;
  const { scheme, target } = dialled;
  const state = scheme === 'https' ? runtime.lookupConnection(target) : runtime.lookup(target);
  switch (state.kind) {
    case 'pending':
      return STATE.connecting;
    case 'failed':
      return STATE.transientFailure;
    case 'absent':
      return runtime.outboundPolicy === 'ALLOW_ANY' && !isFederated ? undefined : STATE.transientFailure;
    case 'ready': {
      const isServed = [...state.value.upstreams.values()].some((upstream) => upstream.peek({}).kind === 'peek');
      return isServed ? STATE.ready : STATE.transientFailure;
    }
  }
}

/** Looks at a state until it is another one, or the time is over. Keeps the process alive, as grpc-js's own does. */
export function watchState(
  clock: Clock,
  look: () => boolean,
  deadlineMs: number,
  callback: (error?: Error) => void,
): void {
  let timer: Timer | undefined;
  const check = (): void => {
    if (look()) callback();
    else if (clock.wallTime() >= deadlineMs) callback(new Error('Deadline passed without connectivity state change'));
    else next();
  };
  const next = (): void => {
    const leftMs = deadlineMs - clock.wallTime();
    timer?.cancel();
    timer = awaitedTimer(clock, Math.max(1, Math.min(defaultOf('grpcStateCheckMs'), leftMs)), check);
  };
  next();
}
