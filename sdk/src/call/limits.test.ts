import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp } from '../connection/origin.fixture.ts';
import { grpcTimeoutMs } from '../match/grpc-timeout.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import type { Cluster } from '../model/cluster.ts';
import { forward, request, route } from '../route/route.fixture.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import { wireHeaders } from './request-head.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const retry: RetryPolicy = {
  on: ['5xx'],
  retriableStatusCodes: [],
  numRetries: 1,
  baseIntervalMs: 1,
  maxIntervalMs: 2,
  previousHosts: false,
  hostSelectionAttempts: 1,
};

/** `silent`: no answer; `part`: a head and half a body; `slow`: a byte each 10 ms, for 100 ms. */
async function call(
  path: '/silent' | '/part' | '/slow',
  action: Partial<ForwardAction>,
  { more, ...asked }: Asked & { readonly more?: Partial<Cluster> } = {},
): Promise<Answer> {
  const { port } = await serveHttp((asked, response) => {
    asked.resume();
    if (asked.url === '/silent') return;
    response.write('x');
    if (asked.url === '/part') return;
    let left = 10;
    const timer = setInterval(() => {
      if (left-- > 0) response.write('x');
      else {
        clearInterval(timer);
        response.end();
      }
    }, 10);
  });
  const target = await stage.target([route('r', {}, forward({ a: 1 }, action))], { a: cluster('a', [port], more) });
  const answer = await ask(stage, target, { path, ...asked }).ended;
  expect(activeRequests(target.upstreams.values())).toBe(0);
  return answer;
}

const flags = ({ call: { story } = {} as never }: Answer) => story?.flags;

describe('a silent stream (RouteAction.idle_timeout)', () => {
  it('is 504 SI before the answer, broken off within it', async () => {
    const before = await call('/silent', { idleTimeoutMs: 30 });
    expect(before).toMatchObject({ status: 504, text: 'stream timeout' });
    expect(flags(before)).toEqual(['SI']);
    const within = await call('/part', { idleTimeoutMs: 1_000 });
    expect(within).toMatchObject({ status: 200, text: 'x', error: { code: 'MESH_TIMEOUT', flag: 'SI' } });
  });

  it('is none where pieces keep coming', async () => {
    expect((await call('/slow', { idleTimeoutMs: 1_000 })).text).toBe('x'.repeat(11));
  });
});

describe('the longest time of a stream (RouteAction.max_stream_duration)', () => {
  it('is 504 without a flag', async () => {
    const answer = await call('/silent', { maxStreamDurationMs: 30 });
    expect(answer).toMatchObject({ status: 504, text: 'downstream duration timeout' });
    expect(flags(answer)).toEqual([]);
    expect(await call('/part', { maxStreamDurationMs: 1_000 })).toMatchObject({ error: { code: 'MESH_TIMEOUT' } });
  });

  const grpc = (timeout: string): Asked => ({
    method: 'POST',
    headers: ['content-type', 'application/grpc', 'grpc-timeout', timeout],
  });

  it('of a gRPC call is what its header says, up to the maximum: grpc-status 4', async () => {
    const asked = await call('/silent', { timeoutMs: 5, grpcTimeoutMaxMs: 60_000 }, grpc('30m'));
    expect(asked.status).toBe(200);
    expect(asked.header('grpc-status')).toBe('4');
    const bounded = await call('/silent', { grpcTimeoutMaxMs: 30 }, grpc('1H'));
    expect(bounded.header('grpc-message')).toBe('downstream duration timeout');
    const less = await call('/silent', { grpcTimeoutMaxMs: 0, grpcTimeoutOffsetMs: 59_970 }, grpc('1M'));
    expect(less.header('grpc-status')).toBe('4');
  });

  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['4m', 4],
    ['5u', 0.005],
    ['123456789m', undefined],
    ['5', undefined],
    ['-1S', undefined],
  ])('grpc-timeout %s', (text, ms) => {
    const read = grpcTimeoutMs(text);
    if (ms === undefined) expect(read).toBeUndefined();
    else expect(read).toBeCloseTo(ms);
  });
});

describe('limits of one attempt', () => {
  it('its silence is retried as a late one is; within the answer it breaks off', async () => {
    const policy = { ...retry, perTryIdleTimeoutMs: 30 };
    const before = await call('/silent', { retry: policy });
    expect(before.status).toBe(504);
    expect(flags(before)).toEqual(['UT', 'URX']);
    expect(before.call?.story.attempts).toHaveLength(2);
    const within = await call('/part', { retry: { ...policy, perTryIdleTimeoutMs: 1_000 } });
    expect(within).toMatchObject({ status: 200, error: { code: 'MESH_TIMEOUT', flag: 'UT' } });
  });

  it("its cluster's longest time is retried as a reset is (UMSDR)", async () => {
    const more = { maxStreamDurationMs: 30 };
    const answer = await call('/silent', { retry: { ...retry, on: ['reset'] } }, { more });
    expect(answer).toMatchObject({ status: 504, text: 'upstream max stream duration reached' });
    expect(flags(answer)).toEqual(['UMSDR', 'URX']);
    expect(await call('/part', {}, { more: { maxStreamDurationMs: 1_000 } })).toMatchObject({
      status: 200,
      error: { flag: 'UMSDR' },
    });
  });
});

describe('what a peer is told of the time it has', () => {
  it('is never more than what is left, nor than its caller said', () => {
    const unit = fc.constantFrom('H', 'M', 'S', 'm', 'u', 'n');
    const type = fc.constantFrom('application/grpc', 'application/grpc+proto');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000_000 }),
        fc.nat(99_999_999),
        unit,
        type,
        (expectedMs, count, letter, type) => {
          const own = `${count}${letter}`;
          const headers = ['content-type', type, 'grpc-timeout', own, 'x-envoy-expected-rq-timeout-ms', '9'];
          const sent = wireHeaders(request({ headers }), { kind: 'none' }, { expectedMs, hasWishes: false });
          const value = (name: string) => sent[sent.indexOf(name) + 1] ?? '';
          expect(value('x-envoy-expected-rq-timeout-ms')).toBe(String(expectedMs));
          const told = grpcTimeoutMs(value('grpc-timeout')) ?? Number.NaN;
          expect(told).toBeLessThanOrEqual(expectedMs);
          expect(told).toBeLessThanOrEqual(grpcTimeoutMs(own) ?? Number.NaN);
          expect(sent.filter((name) => name === 'grpc-timeout')).toHaveLength(1);
        },
      ),
    );
  });
});
