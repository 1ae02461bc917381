import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FaultPolicy } from '../../model/action.ts';
import { request } from '../../route/route.fixture.ts';
import { drawAbort, drawDelay, faultApplies } from './fault.ts';

const always = { numerator: 100, denominator: 100 } as const;
const asking = (...headers: string[]) => request({ headers });

describe('what a fault does to a request (Envoy HTTPFault)', () => {
  it('a fraction of the requests, each kind of fault by a draw of its own', () => {
    const policy: FaultPolicy = {
      delay: { ms: 5, fraction: { numerator: 123_400, denominator: 1_000_000 } },
      abort: { httpStatus: 503, fraction: { numerator: 30, denominator: 100 } },
    };
    expect([123_399, 123_400].map((draw) => drawDelay(policy, request(), () => draw))).toEqual([5, undefined]);
    expect([29, 30].map((draw) => drawAbort(policy, request(), () => draw))).toEqual([{ status: 503 }, undefined]);
  });

  it('with a gRPC status: 200 and that status', () => {
    expect(drawAbort({ abort: { grpcStatus: 14, fraction: always } }, request(), () => 0)).toEqual({
      status: 200,
      grpcStatus: 14,
    });
  });

  it('only requests with all of the headers, only to the cluster named', () => {
    const value = { kind: 'present', present: true } as const;
    const header = (name: string) => ({ name, value, invert: false, treatMissingAsEmpty: false });
    const policy: FaultPolicy = { headers: [header('a'), header('b')], upstreamCluster: 'c' };
    expect(faultApplies(policy, asking('a', '1', 'b', '2'), 'c')).toBe(true);
    expect(faultApplies(policy, asking('a', '1'), 'c')).toBe(false);
    expect(faultApplies(policy, asking('a', '1', 'b', '2'), 'd')).toBe(false);
    expect(faultApplies({}, asking(), 'd')).toBe(true);
  });

  it.each([
    [['x-envoy-fault-abort-request', '502'], { status: 502 }],
    [['x-envoy-fault-abort-request', '700'], undefined],
    [['x-envoy-fault-abort-request', 'no'], undefined],
    [['x-envoy-fault-abort-grpc-request', '5'], { status: 200, grpcStatus: 5 }],
    [['x-envoy-fault-abort-request', '502', 'x-envoy-fault-abort-grpc-request', '5'], { status: 502 }],
    [[], undefined],
  ])('header_abort: %j', (headers, abort) => {
    expect(drawAbort({ abort: { fraction: always, fromHeader: true } }, asking(...headers), () => 0)).toEqual(abort);
  });

  it('header_delay: the request says how long', () => {
    const policy: FaultPolicy = { delay: { ms: 0, fraction: always, fromHeader: true } };
    const delay = (text: string) => drawDelay(policy, asking('x-envoy-fault-delay-request', text), () => 0);
    expect([delay('20'), delay('0'), delay('-1'), delay('1s')]).toEqual([20, undefined, undefined, undefined]);
  });

  it('a percentage asked for by header never raises the configured one', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(200), fc.nat(99), (numerator, asked, draw) => {
        const abort = { fraction: { numerator, denominator: 100 }, fromHeader: true } as const;
        const headers = ['x-envoy-fault-abort-request', '503', 'x-envoy-fault-abort-request-percentage', String(asked)];
        const isHit = drawAbort({ abort }, asking(...headers), () => draw) !== undefined;
        expect(isHit).toBe(draw < Math.min(numerator, asked));
      }),
    );
  });
});
