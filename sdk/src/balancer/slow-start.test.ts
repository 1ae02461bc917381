import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import type { SlowStart } from '../model/cluster.ts';
import { createPicker, NO_HASH, type PickableHost, pick } from './picker.ts';
import { slowStartFactor, startRamp } from './slow-start.ts';

const MINUTE: SlowStart = { windowMs: 60_000, aggression: 1, minWeightPercent: 10 };
const hostSince = (healthySinceMs: number | undefined): PickableHost => ({
  weight: 1,
  active: 0,
  hashKey: '',
  healthySinceMs,
});

describe('slow start (Envoy SlowStartConfig)', () => {
  it.each([
    { aggression: 1, seconds: 0, factor: 0.1 },
    { aggression: 1, seconds: 3, factor: 0.1 },
    { aggression: 1, seconds: 15, factor: 0.25 },
    { aggression: 1, seconds: 59.4, factor: 0.99 },
    { aggression: 1, seconds: 60, factor: 1 },
    { aggression: 2, seconds: 15, factor: 0.5 },
    { aggression: 0.5, seconds: 30, factor: 0.25 },
  ])('after $seconds of 60 s with aggression $aggression a host has $factor of its weight', (row) => {
    const slowStart = { ...MINUTE, aggression: row.aggression };
    const host = hostSince(1_000);
    const nowMs = 1_000 + row.seconds * 1_000;
    // Another host is newer still, so the ramp goes on.
    const ramp = startRamp(slowStart, [host, hostSince(nowMs)], nowMs);
    expect(slowStartFactor(ramp, host, nowMs)).toBeCloseTo(row.factor, 10);
  });

  it('nobody is new: no ramp, and a host that is not healthy has none', () => {
    expect(startRamp(MINUTE, [hostSince(0)], 60_000)).toBeUndefined();
    expect(startRamp(MINUTE, [hostSince(undefined)], 5)).toBeUndefined();
    const ramp = startRamp(MINUTE, [hostSince(0)], 5);
    expect(slowStartFactor(ramp, hostSince(undefined), 5)).toBe(1);
  });

  it.each(['round-robin', 'least-request'] as const)(
    '%s gives a new host its part, and all of it at the end',
    (kind) => {
      const hosts = [hostSince(0), hostSince(100_000)];
      const balancer =
        kind === 'round-robin' ? { kind, slowStart: MINUTE } : { kind, choiceCount: 2, slowStart: MINUTE };
      const picker = createPicker(balancer, hosts, { seed: 3, nowMs: 100_000 });
      const shareAt = (nowMs: number): number => {
        const draw = { hash: NO_HASH, attempt: 0, random: seededRandom(5), active: 0, nowMs };
        // The turns before this moment were given by the weights of then.
        for (let index = 0; index < 100; index++) pick(picker, hosts, draw);
        let fresh = 0;
        for (let index = 0; index < 1_100; index++) if (pick(picker, hosts, draw) === 1) fresh++;
        return fresh / 1_100;
      };
      expect(shareAt(100_000)).toBeCloseTo(0.1 / 1.1, 2);
      expect(shareAt(130_000)).toBeCloseTo(0.5 / 1.5, 2);
      expect(shareAt(160_000)).toBeCloseTo(0.5, 2);
    },
  );
});
