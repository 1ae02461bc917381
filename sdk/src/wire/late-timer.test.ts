import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { isLate, patientTimer } from './late-timer.ts';

const at = (stallMs: number): Promise<boolean> => {
  const clock = createFakeClock();
  return new Promise((resolve) => {
    patientTimer({ clock, turn: (run) => setImmediate(run) }, 100, () => resolve(isLate()));
    clock.stall(stallMs);
    void clock.pass(100);
  });
};

it('what a timer fails after a stall is told to be late, and nothing else is', async () => {
  expect(await at(0)).toBe(false);
  expect(await at(2_000)).toBe(true);
  // A little late is late for everybody.
  expect(await at(180)).toBe(false);
  expect(isLate()).toBe(false);
});
