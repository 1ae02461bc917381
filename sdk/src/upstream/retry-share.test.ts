import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.ts';
import { RetryShare } from './retry-share.ts';

describe('the share of retries where nobody set a budget', () => {
  it('is a fifth of the first requests of ten seconds, whatever is under way at a moment', () => {
    let nowMs = 0;
    const breaker = new Breaker({}, true, () => nowMs);
    for (let i = 0; i < 1_000; i++) breaker.takeRequest();
    let taken = 0;
    // Each retry is over before the next one is wanted.
    for (let i = 0; i < 1_000; i++) {
      if (!breaker.takeRetry()) continue;
      taken++;
      breaker.takeRequest();
      breaker.giveRequest();
      breaker.giveRetry();
    }
    expect(taken).toBe(200);
    nowMs = 10_000;
    expect(breaker.takeRetry()).toBe(true);
  });

  it('has room for a hundred where there are few requests', () => {
    const share = new RetryShare(() => 0);
    let taken = 0;
    while (share.take(0)) taken++;
    expect(taken).toBe(100);
  });

  it('leaves a budget that somebody set alone', () => {
    const breaker = new Breaker({ retryBudget: { percent: 20, minConcurrency: 3 } });
    for (let i = 0; i < 1_000; i++) {
      expect(breaker.takeRetry()).toBe(true);
      breaker.giveRetry();
    }
  });

  it('is never exceeded within a window, in whatever order requests and retries come', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('first', 'retry', 'sent'), { maxLength: 3_000 }), (steps) => {
        const share = new RetryShare(() => 0);
        const counts = { firsts: 0, retries: 0, waiting: 0 };
        for (const step of steps) {
          if (step === 'first') {
            share.count();
            counts.firsts++;
          } else if (step === 'retry' && share.take(counts.firsts)) {
            counts.retries++;
            counts.waiting++;
          } else if (step === 'sent' && counts.waiting > 0) {
            counts.waiting--;
            share.count();
          }
          expect(counts.retries).toBeLessThanOrEqual(Math.max(Math.ceil(counts.firsts / 5), 100));
        }
      }),
    );
  });
});
