import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';

/** The longest of each, in ms, while something was watched. */
export interface Longest {
  /** From one turn of the event loop to the next, where the system did not take the processor away meanwhile. */
  turnMs: number;
  /** The same with whatever time other processes had the processor. */
  anyTurnMs: number;
  /** Between the first and the last look at the watch's clock in one turn; undisturbed and any, as above. */
  sliceMs: number;
  anySliceMs: number;
  /** Garbage collections. */
  gcMs: number;
  /** Share of the turns in which the system took the processor away. */
  disturbed: number;
}

const switches = (): number => process.resourceUsage().involuntaryContextSwitches;

/** Work in slices looks at the clock before and after each of its steps; between two slices everybody else has a turn. */
export function watchTurns(): { readonly clock: Clock; stop(): Promise<Longest> } {
  const longest: Longest = { turnMs: 0, anyTurnMs: 0, sliceMs: 0, anySliceMs: 0, gcMs: 0, disturbed: 0 };
  let turns = 0;
  let disturbed = 0;
  let turnBegan = performance.now();
  let switchesBefore = switches();
  let sliceBegan: number | undefined;
  let looked = turnBegan;
  let isOver = false;
  const probe = (): void => {
    const turnMs = performance.now() - turnBegan;
    const sliceMs = sliceBegan === undefined ? 0 : looked - sliceBegan;
    longest.anyTurnMs = Math.max(longest.anyTurnMs, turnMs);
    longest.anySliceMs = Math.max(longest.anySliceMs, sliceMs);
    if (switches() === switchesBefore) {
      longest.turnMs = Math.max(longest.turnMs, turnMs);
      longest.sliceMs = Math.max(longest.sliceMs, sliceMs);
    } else disturbed++;
    turns++;
    switchesBefore = switches();
    turnBegan = performance.now();
    sliceBegan = undefined;
    if (!isOver) setImmediate(probe);
  };
  setImmediate(probe);
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest.gcMs = Math.max(longest.gcMs, duration);
  });
  collections.observe({ entryTypes: ['gc'] });
  const now = (): number => {
    looked = performance.now();
    sliceBegan ??= looked;
    return looked;
  };
  return {
    clock: { ...systemClock, now },
    async stop() {
      await turn();
      await turn();
      isOver = true;
      collections.disconnect();
      return { ...longest, disturbed: disturbed / turns };
    },
  };
}
