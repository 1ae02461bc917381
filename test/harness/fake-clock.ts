import type { Clock, Timer } from '../../sdk/src/clock.ts';

/** Time that only passes when told to. Timers run in the order they are due. */
export interface FakeClock extends Clock {
  /** Lets `ms` pass and everything that is due happen; promises settle between two timers. */
  pass(ms: number): Promise<void>;
  /** Moves time on without running timers, as a stalled event loop does. */
  stall(ms: number): void;
  /** How long each pending timer still has, soonest first. */
  pending(): number[];
}

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/** Everything already queued as microtasks, however deep, happens. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createFakeClock(): FakeClock {
  let now = 0;
  const timers = new Set<Due>();
  const soonest = (): Due | undefined => [...timers].sort((a, b) => a.at - b.at)[0];

  return {
    now: () => now,
    wallTime: () => 1_800_000_000_000 + now,
    after(ms, run): Timer {
      const due = { at: now + Math.max(ms, 0), run };
      timers.add(due);
      return { cancel: () => timers.delete(due) };
    },
    async pass(ms) {
      const until = now + ms;
      await settle();
      for (let due = soonest(); due !== undefined && due.at <= until; due = soonest()) {
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
        await settle();
      }
      now = Math.max(now, until);
    },
    stall(ms) {
      now += ms;
    },
    pending: () => [...timers].map(({ at }) => at - now).sort((a, b) => a - b),
  };
}
