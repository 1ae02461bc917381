import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SharedTimers, type Timer } from './shared-timers.ts';

/** Time that a test passes on, and how many timers the platform was asked for. */
function platform() {
  const waiting = new Set<{ readonly dueMs: number; readonly run: () => void }>();
  const at = {
    nowMs: 0,
    started: 0,
    waiting,
    start(ms: number, run: () => void): Timer {
      at.started++;
      const timer = { dueMs: at.nowMs + ms, run };
      waiting.add(timer);
      return { cancel: () => waiting.delete(timer) };
    },
    pass(ms: number): void {
      const untilMs = at.nowMs + ms;
      for (;;) {
        const next = [...waiting].filter(({ dueMs }) => dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)[0];
        if (next === undefined) break;
        waiting.delete(next);
        at.nowMs = Math.max(at.nowMs, next.dueMs);
        next.run();
      }
      at.nowMs = untilMs;
    },
  };
  return { at, timers: new SharedTimers(() => at.nowMs, at.start) };
}

it('timers of one length share one of the platform, and each runs once, at its time', () => {
  const { at, timers } = platform();
  const ran: string[] = [];
  const run = (name: string) => () => ran.push(`${name} ${at.nowMs}`);
  timers.after(100, run('a'));
  at.pass(30);
  timers.after(100, run('b'));
  timers.after(100, run('c')).cancel();
  expect(at.waiting.size).toBe(1);
  at.pass(1_000);
  expect(ran).toEqual(['a 100', 'b 130']);
  expect(at.waiting.size).toBe(0);
});

it('one that is cancelled never runs, whatever is cancelled beside it and when', () => {
  const step = fc.record({ afterMs: fc.nat(5), lengthMs: fc.constantFrom(0, 1, 5, 5.5, 20), cancelMs: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { at, timers } = platform();
      const expected: number[] = [];
      const ran: number[] = [];
      for (const [id, { afterMs, lengthMs, cancelMs }] of steps.entries()) {
        at.pass(afterMs);
        const timer = timers.after(lengthMs, () => {
          ran.push(id);
          at.waiting.delete(cancel);
        });
        const cancel = { dueMs: at.nowMs + cancelMs, run: () => timer.cancel() };
        // Where both are due at once either may come first.
        if (cancelMs !== Math.max(1, Math.ceil(lengthMs))) at.waiting.add(cancel);
        if (cancelMs >= Math.max(1, Math.ceil(lengthMs))) expected.push(id);
      }
      at.pass(100);
      expect(ran.toSorted((a, b) => a - b)).toEqual(expected);
      expect(at.waiting.size).toBe(0);
    }),
  );
});

it('asks the platform once for many that are cancelled', () => {
  const { at, timers } = platform();
  for (let i = 0; i < 1_000; i++) timers.after(15_000, () => {}).cancel();
  expect(at.started).toBe(1);
});

it('keeps no timer for each of many lengths', () => {
  const { at, timers } = platform();
  for (let ms = 1_000; ms < 2_000; ms++) timers.after(ms, () => {}).cancel();
  expect(at.waiting.size).toBeLessThan(20);
});

it('one that throws takes none with it', () => {
  const { at, timers } = platform();
  const ran: string[] = [];
  timers.after(10, () => {
    throw new Error('its own');
  });
  timers.after(10, () => ran.push('next'));
  expect(() => at.pass(10)).toThrow('its own');
  at.pass(10);
  expect(ran).toEqual(['next']);
});

it('one that asks for another of its length has it a length later', () => {
  const { at, timers } = platform();
  const ran: number[] = [];
  const again = (): void => {
    ran.push(at.nowMs);
    if (ran.length < 3) timers.after(Number.NaN, again);
  };
  timers.after(0, again);
  at.pass(10);
  expect(ran).toEqual([1, 2, 3]);
});
