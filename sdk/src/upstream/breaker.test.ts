import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.ts';

describe('what a priority of a cluster admits', () => {
  it('a host without a connection may always have one', () => {
    const breaker = new Breaker({ maxConnections: 1 });
    expect(breaker.takeConnection(false)).toBe(true);
    expect(breaker.takeConnection(false)).toBe(false);
    expect(breaker.takeConnection(true)).toBe(true);
    expect(breaker.connections).toBe(2);
  });

  it('new limits hold for what comes; what is there stays', () => {
    const breaker = new Breaker({ maxRequests: 2 });
    breaker.takeRequest();
    breaker.takeRequest();
    breaker.adopt({ maxRequests: 1 });
    breaker.giveRequest();
    expect(breaker.takeRequest()).toBe(false);
    breaker.giveRequest();
    expect(breaker.takeRequest()).toBe(true);
  });

  it.each([
    // Envoy RetryBudget: percent of what is under way, at least the minimum.
    { limits: { retryBudget: { percent: 20, minConcurrency: 3 } }, requests: 10, retries: 3 },
    { limits: { retryBudget: { percent: 20, minConcurrency: 3 } }, requests: 100, retries: 20 },
    { limits: { retryBudget: { percent: 0, minConcurrency: 0 } }, requests: 100, retries: 0 },
    // A budget comes before max_retries.
    { limits: { retryBudget: { percent: 50, minConcurrency: 1 }, maxRetries: 1 }, requests: 100, retries: 50 },
    { limits: { maxRetries: 7 }, requests: 100, retries: 7 },
    // Neither: ours.
    { limits: {}, requests: 100, retries: 20 },
    { limits: {}, requests: 0, retries: 3 },
  ])('$limits with $requests requests under way: $retries retries', ({ limits, requests, retries }) => {
    const breaker = new Breaker(limits);
    for (let i = 0; i < requests; i++) breaker.takeRequest();
    let taken = 0;
    while (taken < 200 && breaker.takeRetry()) taken++;
    expect(taken).toBe(retries);
  });

  it('without the budget of the mesh retries are unlimited', () => {
    const breaker = new Breaker({}, false);
    for (let i = 0; i < 10_000; i++) expect(breaker.takeRetry()).toBe(true);
  });

  it('no limit is ever exceeded, and what is given back is free again', () => {
    const kinds = ['Connection', 'Pending', 'Request', 'Retry'] as const;
    const step = fc.record({ kind: fc.constantFrom(...kinds), take: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(5), (steps, limit) => {
        const breaker = new Breaker({
          maxConnections: limit,
          maxPendingRequests: limit,
          maxRequests: limit,
          maxRetries: limit,
        });
        const held = { Connection: 0, Pending: 0, Request: 0, Retry: 0 };
        for (const { kind, take } of steps) {
          if (take) {
            const got = breaker[`take${kind}`](false);
            expect(got).toBe(held[kind] < limit);
            if (got) held[kind]++;
          } else if (held[kind] > 0) {
            breaker[`give${kind}`]();
            held[kind]--;
          }
        }
        expect(breaker).toMatchObject({
          connections: held.Connection,
          pending: held.Pending,
          requests: held.Request,
          retries: held.Retry,
        });
      }),
    );
  });

  it('retries never take more than their share of what is under way', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 0, max: 100 }), fc.nat(20), (requests, percent, minConcurrency) => {
        const breaker = new Breaker({ retryBudget: { percent, minConcurrency } });
        for (let i = 0; i < requests; i++) breaker.takeRequest();
        let taken = 0;
        while (breaker.takeRetry()) taken++;
        return taken <= Math.max((requests * percent) / 100, minConcurrency);
      }),
    );
  });
});
