import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp } from '../connection/origin.fixture.ts';
import { MeshError } from '../errors.ts';
import type { FaultPolicy, ForwardAction, RetryPolicy } from '../model/action.ts';
import { forward, route } from '../route/route.fixture.ts';
import { type Answer, type Asked, ask, cluster, createStage, type Stage } from './call.fixture.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const always = { numerator: 100, denominator: 100 } as const;
const retry: RetryPolicy = {
  on: ['5xx'],
  retriableStatusCodes: [],
  numRetries: 2,
  baseIntervalMs: 1,
  maxIntervalMs: 2,
  previousHosts: false,
  hostSelectionAttempts: 1,
};

async function under(fault: FaultPolicy, action: Partial<ForwardAction> = {}, asked: Asked = {}) {
  let arrived = 0;
  const { port } = await serveHttp((request, response) => {
    arrived++;
    request.resume();
    response.end('ok');
  });
  const to = forward({ a: 1 }, { fault, ...action });
  const target = await stage.target([route('r', {}, to)], { a: cluster('a', [port]) });
  const call = (): Answer => ask(stage, target, asked);
  return { call, arrived: () => arrived };
}

const flags = ({ call }: Answer) => call?.story.flags;

describe('a fault of the whole call', () => {
  it('an abort is the answer: nothing is sent, nothing retried', async () => {
    const { call, arrived } = await under({ abort: { httpStatus: 503, fraction: always } }, { retry });
    const answer = await call().ended;
    expect(answer).toMatchObject({ status: 503, text: 'fault filter abort' });
    expect(flags(answer)).toEqual(['FI']);
    expect(answer.call?.story.attempts).toEqual([]);
    expect(arrived()).toBe(0);
  });

  it('is MESH_FAULT_ABORT where local answers are errors', async () => {
    const options = { localReply: 'throw' } as const;
    const { call } = await under({ abort: { httpStatus: 555, fraction: always } }, {}, { options });
    const { error } = await call().ended;
    expect(error).toBeInstanceOf(MeshError);
    expect(error).toMatchObject({ code: 'MESH_FAULT_ABORT', status: 555, flag: 'FI' });
  });

  it('a delay longer than the timeout is 504 when the timeout is over (not as Envoy, whose timeout begins after it)', async () => {
    const { call, arrived } = await under({ delay: { ms: 60_000, fraction: always } }, { timeoutMs: 30 });
    const answer = await call().ended;
    expect(answer).toMatchObject({ status: 504, text: 'upstream request timeout' });
    expect(flags(answer)).toEqual(['DI', 'UT']);
    expect(arrived()).toBe(0);
  });

  it('a delay spends the timeout of a streamed body too', async () => {
    const stream = (async function* () {
      yield new Uint8Array(3);
    })();
    const body = { kind: 'stream', stream } as const;
    const asked: Asked = { method: 'POST', body };
    const { call } = await under({ delay: { ms: 60_000, fraction: always } }, { timeoutMs: 30 }, asked);
    expect(await call().ended).toMatchObject({ status: 504 });
  });

  it('a delay, then the answer; then an abort where there is one', async () => {
    const delayed = await under({ delay: { ms: 5, fraction: always } });
    expect(flags(await delayed.call().ended)).toEqual(['DI']);
    const both = await under({
      delay: { ms: 5, fraction: always },
      abort: { httpStatus: 400, fraction: always },
    });
    expect(flags(await both.call().ended)).toEqual(['DI', 'FI']);
  });

  it('as many at a time as may be (max_active_faults); those that end, however, make room', async () => {
    const { call } = await under({ delay: { ms: 60_000, fraction: always }, maxActive: 1 });
    const first = call();
    const second = await call().ended;
    expect([second.status, flags(second)]).toEqual([200, []]);
    first.call?.abort('enough');
    const third = call();
    expect(flags(third)).toEqual(['DI']);
    third.call?.abort('enough');
  });

  it('is over when the call is aborted under it', async () => {
    const { call, arrived } = await under({ delay: { ms: 10, fraction: always } });
    const answer = call();
    answer.call?.abort('enough');
    expect((await answer.ended).error).toBe('enough');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(arrived()).toBe(0);
  });
});

describe('a fault of each attempt', () => {
  it('is drawn anew, so that retries meet a host', async () => {
    const draws = [0, 99];
    stage = createStage({ random: () => draws.shift() ?? 99 });
    const abort = { httpStatus: 503, fraction: { numerator: 50, denominator: 100 } } as const;
    const { call, arrived } = await under({ abort, scope: 'attempt' }, { retry });
    const answer = await call().ended;
    expect(answer).toMatchObject({ status: 200, text: 'ok' });
    expect(answer.call?.story.attempts.map(({ status, flag }) => [status, flag])).toEqual([
      [503, 'FI'],
      [200, undefined],
    ]);
    expect(arrived()).toBe(1);
  });

  it('N retries are N + 1 faults', async () => {
    const { call, arrived } = await under(
      { abort: { httpStatus: 503, fraction: always }, scope: 'attempt' },
      { retry },
    );
    const answer = await call().ended;
    expect(answer).toMatchObject({ status: 503, text: 'fault filter abort' });
    expect(answer.call?.story.attempts).toHaveLength(3);
    expect(flags(answer)).toEqual(['FI', 'URX']);
    expect(arrived()).toBe(0);
  });

  it('a delay longer than an attempt may take is a late attempt', async () => {
    const draws = [0, 99];
    stage = createStage({ random: () => draws.shift() ?? 99 });
    const delay = { ms: 60_000, fraction: { numerator: 50, denominator: 100 } } as const;
    const { call } = await under({ delay, scope: 'attempt' }, { retry: { ...retry, perTryTimeoutMs: 600 } });
    const answer = await call().ended;
    expect(answer.status).toBe(200);
    expect(answer.call?.story.attempts[0]).toMatchObject({ status: 504, flag: 'UT' });
  });
});

describe('faults of several filters', () => {
  const delay = (ms: number): FaultPolicy => ({ delay: { ms, fraction: always } });
  const abort: FaultPolicy = { abort: { httpStatus: 555, fraction: always } };

  it.each(['call', 'attempt'] as const)('act one after the other, of a whole %s', async (scope) => {
    const { call, arrived } = await under({ ...delay(20), scope, next: { ...delay(30), next: abort } });
    const answer = await call().ended;
    expect(answer).toMatchObject({ status: 555 });
    expect(flags(answer)).toEqual(['DI', 'FI']);
    expect(answer.call?.story.timings.endMs).toBeGreaterThanOrEqual((answer.call?.story.timings.startMs ?? 0) + 49);
    expect(arrived()).toBe(0);
  });

  it('take their delays from the time of the call together', async () => {
    const { call } = await under({ ...delay(60), next: delay(60) }, { timeoutMs: 100 });
    expect(await call().ended).toMatchObject({ status: 504 });
  });

  it('are limited each by itself', async () => {
    const { call } = await under({ ...delay(1), maxActive: 0, next: { ...abort, maxActive: 1 } });
    expect(flags(await call().ended)).toEqual(['FI']);
    expect(flags(await call().ended)).toEqual(['FI']);
  });
});
