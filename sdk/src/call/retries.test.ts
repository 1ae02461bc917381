import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, deadPort, serveHttp } from '../connection/origin.fixture.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import { forward, route } from '../route/route.fixture.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const retry = (more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  on: ['5xx'],
  retriableStatusCodes: [],
  numRetries: 2,
  baseIntervalMs: 1,
  maxIntervalMs: 10,
  previousHosts: false,
  hostSelectionAttempts: 1,
  ...more,
});

/** An origin that answers the statuses in turn, the last one for ever. */
async function answering(...statuses: readonly number[]): Promise<{ port: number; bodies: string[] }> {
  const bodies: string[] = [];
  const origin = await serveHttp((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const status = statuses[Math.min(bodies.length, statuses.length - 1)] ?? 200;
      bodies.push(body);
      response.writeHead(status).end(String(status));
    });
  });
  return { port: origin.port, bodies };
}

async function call(ports: readonly number[], action: Partial<ForwardAction>, asked: Asked = {}): Promise<Answer> {
  const target = await stage.target([route('r', {}, forward({ a: 1 }, action))], { a: cluster('a', ports) });
  const answer = await ask(stage, target, asked).ended;
  expect(activeRequests(target.upstreams.values())).toBe(0);
  const breaker = target.upstreams.get('a')?.breaker('default');
  expect(breaker).toMatchObject({ requests: 0, pending: 0, retries: 0 });
  return answer;
}

const story = (answer: Answer) => answer.call?.story;

describe('retries', () => {
  it('go on until an answer stands', async () => {
    const { port, bodies } = await answering(503, 500, 200);
    const answer = await call([port], { retry: retry() });
    expect(answer).toMatchObject({ status: 200, text: '200' });
    expect(story(answer)?.attempts.map(({ status }) => status)).toEqual([503, 500, 200]);
    expect(story(answer)?.flags).toEqual([]);
    expect(bodies).toHaveLength(3);
  });

  it('N retries are N + 1 calls; the last answer stands, flagged URX', async () => {
    const { port, bodies } = await answering(503);
    const answer = await call([port], { retry: retry() });
    expect(answer.status).toBe(503);
    expect(bodies).toHaveLength(3);
    expect(story(answer)).toMatchObject({ flag: 'URX', retryRefused: 'limit', local: false });
  });

  it('what failed comes before URX, as in the last body', async () => {
    const answer = await call([await deadPort()], { retry: retry() });
    expect(answer).toMatchObject({
      status: 503,
      text: 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure',
    });
    expect(story(answer)?.flags).toEqual(['UF', 'URX']);
  });

  it('after a failed connection, also of what is not idempotent: nothing has left', async () => {
    const { port } = await answering(200);
    const answer = await call(
      [await deadPort(), port],
      { retry: retry({ on: ['connect-failure'], numRetries: 5 }) },
      {
        method: 'POST',
      },
    );
    expect(answer.status).toBe(200);
  });

  it('send bytes again, and what was kept of a stream', async () => {
    const { port, bodies } = await answering(503, 200);
    const stream = (async function* () {
      yield new TextEncoder().encode('one');
      yield new TextEncoder().encode('two');
    })();
    const answer = await call([port], { retry: retry() }, { method: 'PUT', body: { kind: 'stream', stream } });
    expect(answer.status).toBe(200);
    expect(bodies).toEqual(['onetwo', 'onetwo']);
  });

  it('do not send what is no longer kept', async () => {
    const { port, bodies } = await answering(503, 200);
    const stream = (async function* () {
      yield new Uint8Array(20);
      yield new Uint8Array(20);
    })();
    const answer = await call(
      [port],
      { retry: retry(), bodyBufferBytes: 30 },
      {
        method: 'PUT',
        body: { kind: 'stream', stream },
      },
    );
    expect(answer.status).toBe(503);
    expect(bodies).toHaveLength(1);
    expect(story(answer)?.retryRefused).toBe('body');
  });

  it.each([
    { what: 'a POST: it may have been acted on', asked: { method: 'POST' }, calls: 1 },
    {
      what: 'a POST that the caller calls idempotent',
      asked: { method: 'POST', options: { policy: { idempotent: true } } },
      calls: 2,
    },
    {
      what: 'a POST with an Idempotency-Key',
      asked: { method: 'POST', headers: ['idempotency-key', '1'] },
      calls: 2,
    },
    {
      what: 'a GET that the caller calls not idempotent',
      asked: { options: { policy: { idempotent: false } } },
      calls: 1,
    },
  ])('$what: $calls calls', async ({ asked, calls }) => {
    const { port, bodies } = await answering(503, 200);
    const answer = await call([port], { retry: retry() }, asked as Asked);
    expect(bodies).toHaveLength(calls);
    expect(story(answer)?.retryRefused).toBe(calls === 1 ? 'method' : undefined);
  });

  it('never wait longer than the call: 504 UT', async () => {
    const { port } = await answering(503);
    const answer = await call([port], { timeoutMs: 60, retry: retry({ numRetries: 1_000, baseIntervalMs: 10 }) });
    expect(answer.status).toBe(504);
    expect(story(answer)?.flag).toBe('UT');
  });

  it('share the budget of their cluster: UO where it is spent', async () => {
    const { port } = await answering(503);
    const state = cluster('a', [port], {
      circuitBreakers: { default: { retryBudget: { percent: 0, minConcurrency: 0 } }, high: {} },
    });
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { retry: retry() }))], { a: state });
    const answer = await ask(stage, target).ended;
    expect(answer.status).toBe(503);
    expect(story(answer)).toMatchObject({ flag: 'UO', retryRefused: 'overflow' });
    expect(story(answer)?.attempts).toHaveLength(1);
  });

  it('go to another host where the policy avoids those before', async () => {
    const [bad, good] = [await answering(503), await answering(200)];
    const policy = retry({ previousHosts: true, hostSelectionAttempts: 10 });
    for (let i = 0; i < 5; i++) expect((await call([bad.port, good.port], { retry: policy })).status).toBe(200);
  });

  it('x-envoy-max-retries and x-envoy-retry-on of the request are obeyed and stay behind', async () => {
    const { port, bodies } = await answering(409);
    const headers = ['x-envoy-retry-on', 'retriable-4xx', 'x-envoy-max-retries', '3'];
    const answer = await call([port], {}, { headers });
    expect(answer.status).toBe(409);
    expect(bodies).toHaveLength(4);
  });
});

describe('the time of one attempt', () => {
  const late = () => serveHttp((_request, response) => void setTimeout(() => response.end(), 5_000).unref());

  it('over: 504 UT where nothing retries it', async () => {
    const { port } = await late();
    const answer = await call([port], { retry: retry({ on: ['connect-failure'], perTryTimeoutMs: 20 }) });
    expect(answer).toMatchObject({ status: 504, text: 'upstream request timeout' });
    expect(story(answer)).toMatchObject({ flag: 'UT' });
    expect(story(answer)?.attempts).toHaveLength(1);
  });

  it.each(['5xx', 'gateway-error', 'reset'])('over is retried on %s', async (word) => {
    const { port } = await late();
    const answer = await call([port], { retry: retry({ on: [word], perTryTimeoutMs: 20, numRetries: 1 }) });
    expect(answer.status).toBe(504);
    expect(story(answer)?.attempts.map(({ flag }) => flag)).toEqual(['UT', 'UT']);
  });

  it('as long as the call’s says nothing', async () => {
    const { port } = await late();
    const answer = await call([port], { timeoutMs: 30, retry: retry({ perTryTimeoutMs: 30 }) });
    expect(answer.status).toBe(504);
    expect(story(answer)?.attempts).toHaveLength(1);
  });
});

describe('hedging', () => {
  it('on a late attempt: the first answer wins, the other attempt is let go', async () => {
    let asked = 0;
    const { port } = await serveHttp((_request, response) => {
      if (asked++ === 0) setTimeout(() => response.end('slow'), 5_000).unref();
      else response.end('fast');
    });
    const answer = await call([port], { retry: retry({ perTryTimeoutMs: 20 }), hedge: { onPerTryTimeout: true } });
    expect(answer).toMatchObject({ status: 200, text: 'fast' });
    expect(story(answer)?.attempts).toHaveLength(2);
  });

  it('after a delay, once, and never of what is not idempotent', async () => {
    let asked = 0;
    const { port } = await serveHttp((_request, response) => {
      if (asked++ === 0) setTimeout(() => response.end('slow'), 80).unref();
      else response.end('fast');
    });
    const action = { retry: retry(), hedge: { onPerTryTimeout: false, delay: 10 } };
    expect(await call([port], action)).toMatchObject({ text: 'fast' });
    asked = 0;
    expect(await call([port], action, { method: 'POST' })).toMatchObject({ text: 'slow' });
    expect(asked).toBe(1);
  });
});
