import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Outgoing } from '../http/outgoing.ts';
import { optionsOf } from '../http/outgoing.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import { expectedMs } from './deadline.ts';
import { type InboundRequest, propagate } from './propagate.ts';
import { currentInbound } from './store.ts';

const inside = <T>(request: InboundRequest, ask: () => T, options = {}): T => {
  let answer: T | undefined;
  propagate(options)(request, undefined, () => {
    answer = ask();
  });
  return answer as T;
};

describe('how long the caller of a request waits', () => {
  it.each([
    [{ 'x-envoy-expected-rq-timeout-ms': '1500' }, 1500],
    [{ 'grpc-timeout': '2S' }, 2000],
    [{ 'x-envoy-expected-rq-timeout-ms': '1500', 'grpc-timeout': '2S' }, 1500],
    [{ 'x-envoy-expected-rq-timeout-ms': '1500', 'grpc-timeout': '1S' }, 1000],
    [{ 'x-envoy-expected-rq-timeout-ms': '0' }, undefined],
    [{ 'x-envoy-expected-rq-timeout-ms': 'soon', 'grpc-timeout': 'never' }, undefined],
    [{}, undefined],
  ])('%j', (headers, ms) => {
    expect(expectedMs(headers)).toBe(ms);
  });

  it("and who it is; a middleware may leave the time to the calls' own", () => {
    const request = { headers: { 'grpc-timeout': '1S' }, socket: { remoteAddress: '10.0.0.9' } };
    expect(inside(request, currentInbound)).toMatchObject({ sourceIp: '10.0.0.9' });
    expect(inside(request, currentInbound)?.dueMs).toBeGreaterThan(systemClock.now());
    expect(inside(request, currentInbound, { deadline: false })?.dueMs).toBeUndefined();
  });
});

describe('a deadline over hops', () => {
  it('is never extended: the earliest of what the inbound caller, the call and its wait for configuration have', () => {
    const outgoing = (timeoutMs: number | undefined) =>
      ({ dialled: { host: 'a', port: 80 }, policy: timeoutMs === undefined ? undefined : { timeoutMs } }) as Outgoing;
    const runtime = { clock: { ...systemClock, now: () => 0 }, localReply: 'resolve' } as MeshRuntime;
    const time = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined });
    fc.assert(
      fc.property(time, time, time, (inboundMs, timeoutMs, waitedMs) => {
        const headers = inboundMs === undefined ? {} : { 'x-envoy-expected-rq-timeout-ms': String(inboundMs) };
        const dueMs = inside({ headers }, () => currentInbound()?.dueMs);
        const { deadlineMs } = inside({ headers }, () => optionsOf(runtime, outgoing(timeoutMs), waitedMs));
        const own = waitedMs ?? timeoutMs;
        if (own !== undefined) expect(deadlineMs).toBeLessThanOrEqual(own);
        if (dueMs !== undefined) expect(deadlineMs).toBeLessThanOrEqual(dueMs + 100);
        if (own === undefined && dueMs === undefined) expect(deadlineMs).toBeUndefined();
      }),
    );
  });
});
