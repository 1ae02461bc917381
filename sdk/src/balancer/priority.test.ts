import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PriorityHealth, priorityChoices, priorityLoads } from './priority.ts';

/** Envoy's defaults. */
const SETTINGS = { overprovisioningFactor: 140, panicThreshold: 50 };
const PANIC_OFF = { ...SETTINGS, panicThreshold: 0 };

/** Priorities of 100 endpoints by their healthy and, where given, degraded percentage. */
const levels = (...percents: readonly (number | readonly [number, number])[]): PriorityHealth[] =>
  percents.map((percent) => {
    const [healthy, degraded] = typeof percent === 'number' ? [percent, 0] : percent;
    return { total: 100, healthy, degraded };
  });

describe('priorityLoads', () => {
  it.each([
    { healthy: [100, 100], loads: [100, 0] },
    { healthy: [72, 100], loads: [100, 0] },
    { healthy: [71, 100], loads: [99, 1] },
    { healthy: [50, 100], loads: [70, 30] },
    { healthy: [25, 100], loads: [35, 65] },
    { healthy: [0, 100], loads: [0, 100] },
    { healthy: [72, 72], loads: [100, 0] },
    { healthy: [71, 71], loads: [99, 1] },
    { healthy: [50, 50], loads: [70, 30] },
    { healthy: [25, 25], loads: [50, 50] },
    { healthy: [72, 72, 100], loads: [100, 0, 0] },
    { healthy: [71, 71, 100], loads: [99, 1, 0] },
    { healthy: [50, 50, 100], loads: [70, 30, 0] },
    { healthy: [25, 100, 100], loads: [35, 65, 0] },
    { healthy: [25, 25, 100], loads: [35, 35, 30] },
    // The page rounds to 36, 36, 28; Envoy cuts off and gives the rest to the first (vector ring-60-three-priorities).
    { healthy: [25, 25, 20], loads: [37, 35, 28] },
  ])('healthy $healthy % → $loads % (Envoy docs, priority levels)', ({ healthy, loads }) => {
    expect(priorityLoads(levels(...healthy), PANIC_OFF).healthy).toEqual(loads);
  });

  it.each([
    { healthy: 100, degraded: 0, loads: [100, 0] },
    { healthy: 71, degraded: 0, loads: [100, 0] },
    { healthy: 71, degraded: 29, loads: [99, 1] },
    { healthy: 25, degraded: 65, loads: [35, 65] },
    { healthy: 5, degraded: 0, loads: [100, 0] },
  ])(
    '$healthy % healthy, $degraded % degraded → $loads (Envoy docs, degraded endpoints)',
    ({ healthy, degraded, loads }) => {
      const result = priorityLoads(levels([healthy, degraded]), PANIC_OFF);
      expect([result.healthy[0], result.degraded[0]]).toEqual(loads);
    },
  );

  it.each([
    { healthy: [72, 72], loads: [100, 0], panic: [false, false] },
    { healthy: [71, 71], loads: [99, 1], panic: [false, false] },
    { healthy: [50, 60], loads: [70, 30], panic: [false, false] },
    { healthy: [0, 100], loads: [0, 100], panic: [false, false] },
    { healthy: [25, 25], loads: [50, 50], panic: [true, true] },
    // The page says 7, 93; see above (vector ring-40-panic).
    { healthy: [5, 65], loads: [8, 92], panic: [true, false] },
  ])('healthy $healthy % → $loads %, panic $panic (Envoy docs, panic threshold)', ({ healthy, loads, panic }) => {
    const result = priorityLoads(levels(...healthy), SETTINGS);
    expect(result.healthy).toEqual(loads);
    expect(result.panic).toEqual(panic);
  });

  it.each([
    { threshold: 50.9, panic: false },
    { threshold: 51, panic: true },
  ])('half healthy and a threshold of $threshold %: panic $panic, as whole percents count', ({ threshold, panic }) => {
    expect(priorityLoads(levels(50), { ...SETTINGS, panicThreshold: threshold }).panic).toEqual([panic]);
  });

  it('where health is by weight, panic is by number, and total panic by all of them', () => {
    const counts = { all: 10, total: 8, usable: 3 };
    const level = { total: 100, healthy: 60, degraded: 0, counts };
    const other = { ...level, healthy: 1, counts: { all: 30, total: 30, usable: 1 } };
    expect(priorityLoads([level, other], SETTINGS)).toMatchObject({ healthy: [25, 75], panic: [true, true] });
  });

  it('in total panic the load follows the number of endpoints, whatever their health', () => {
    const three = [30, 10, 60].map((total) => ({ total, healthy: 0, degraded: 0 }));
    expect(priorityLoads(three, SETTINGS)).toEqual({
      healthy: [30, 10, 60],
      degraded: [0, 0, 0],
      panic: [true, true, true],
    });
  });

  it('with panic off and nobody left, the first priority gets everything and does not panic', () => {
    expect(priorityLoads(levels(0, 0), PANIC_OFF)).toEqual({
      healthy: [100, 0],
      degraded: [0, 0],
      panic: [false, false],
    });
  });

  it('a gap between priorities gets nothing', () => {
    const gap = [{ total: 0, healthy: 0, degraded: 0 }, ...levels(100)];
    expect(priorityLoads(gap, SETTINGS).healthy).toEqual([0, 100]);
  });

  it('always gives away exactly 100, a choice for each draw', () => {
    const level = fc
      .record({ total: fc.nat(20), healthy: fc.nat(20), degraded: fc.nat(20) })
      .map(({ total, healthy, degraded }) => ({
        total,
        healthy: Math.min(total, healthy),
        degraded: Math.min(total - Math.min(total, healthy), degraded),
      }));
    const settings = fc.record({
      overprovisioningFactor: fc.integer({ min: 100, max: 300 }),
      panicThreshold: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), settings, (list, chosen) => {
        const loads = priorityLoads(list, chosen);
        const choices = priorityChoices(loads);
        expect(choices).toHaveLength(100);
        for (const [priority, load] of loads.healthy.entries()) {
          expect(choices.filter((choice) => choice.priority === priority && !choice.degraded)).toHaveLength(load);
        }
      }),
    );
  });
});
