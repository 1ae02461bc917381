import { describe, expect, it } from 'vitest';
import { soakFaults } from './faults/soak-faults.ts';
import { soak } from './soak.ts';

/** Slices of `npm run soak`. */
describe('calls while the control plane pushes, dies and comes back', () => {
  it('none of 3,000 fails', async () => {
    const { failures, kills, swaps, answers } = await soak({ calls: 3_000, pushesPerSecond: 10, killEveryMs: 800 });
    expect(failures).toEqual([]);
    expect({ kills, swaps }).toEqual({ kills: expect.any(Number), swaps: expect.any(Number) });
    expect(swaps).toBeGreaterThan(0);
    expect(Object.keys(answers).sort()).toEqual(['v1', 'v2', 'v3']);
  }, 60_000);
});

describe('calls to upstreams that fail in every way', () => {
  it('of 2,000 nothing is left: no limit lent, no socket, no timer', async () => {
    const { failures, arrived, pushes } = await soakFaults({ requests: 2_000 });
    expect(failures).toEqual([]);
    expect(arrived).toBeGreaterThan(0);
    expect(pushes).toBeGreaterThan(1);
  }, 90_000);
});
