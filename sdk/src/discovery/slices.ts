import { type Clock, systemTurn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

/** Work in pieces of a few ms, so that a large configuration never stalls the application's own requests. */
export interface Slices {
  /** True when this piece has taken its time: then `await next()`. */
  isSpent(): boolean;
  next(): Promise<void>;
}

/** One turn of the event loop: sockets and timers get theirs before it resolves. */
export type YieldTurn = () => Promise<void>;

export const yieldTurn: YieldTurn = () => new Promise(systemTurn);

export function createSlices(clock: Clock, turn: YieldTurn): Slices {
  let startedMs = clock.now();
  return {
    isSpent: () => clock.now() - startedMs >= defaultOf('sliceMs'),
    async next() {
      await turn();
      startedMs = clock.now();
    },
  };
}
