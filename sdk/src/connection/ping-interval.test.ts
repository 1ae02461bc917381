import { expect, it } from 'vitest';
import { calm, pingIntervalMs } from './ping-interval.ts';

const every = (intervalMs: number) => ({ keepAlive: { intervalMs, timeoutMs: 1_000, jitterPercent: 0 } });

it('PINGs are sent as often as the cluster says, and half as often after each that was one too many (gRFC A8)', () => {
  const options = every(10_000);
  const intervals = Array.from({ length: 7 }, () => {
    const ms = pingIntervalMs(options);
    calm(options);
    return ms;
  });
  expect(intervals).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  // Other settings are of another cluster, or newer.
  expect(pingIntervalMs(every(10_000))).toBe(10_000);
});

it('more than five minutes between PINGs stay as they are, and where there are none there stay none', () => {
  const rare = every(600_000);
  calm(rare);
  expect(pingIntervalMs(rare)).toBe(600_000);
  const none = {};
  calm(none);
  expect(pingIntervalMs(none)).toBeUndefined();
});
