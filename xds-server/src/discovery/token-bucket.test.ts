import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

it('lets a burst pass and then asks for as long as the debt takes to be paid', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 100 }, 0);
  expect(bucket.spend(100, 0)).toBe(0);
  expect(bucket.spend(5, 0)).toBe(500);
  expect(bucket.spend(1, 500)).toBe(100);
  expect(bucket.spend(1, 10_000)).toBe(0);
});

it('never lets more pass in any time than the rate and one burst, for whoever waits as told', () => {
  const spending = fc.array(fc.record({ tokens: fc.nat(200), pauseMs: fc.nat(2_000) }), { maxLength: 50 });
  fc.assert(
    fc.property(spending, (list) => {
      const bucket = new TokenBucket({ perSecond: 50, burst: 300 }, 0);
      let nowMs = 0;
      let spent = 0;
      for (const { tokens, pauseMs } of list) {
        spent += tokens;
        nowMs += bucket.spend(tokens, nowMs);
        expect(spent).toBeLessThanOrEqual(300 + (nowMs / 1_000) * 50 + 1e-6);
        nowMs += pauseMs;
      }
    }),
  );
});
