import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp, until } from '../connection/origin.fixture.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import { forward, route } from '../route/route.fixture.ts';
import type { Upstream } from '../upstream/types.ts';
import { type Asked, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import { keepTermsOf, termsOf } from './terms.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const hedge = { onPerTryTimeout: false, delay: 10 } as const;
const retry: RetryPolicy = {
  on: ['5xx'],
  retriableStatusCodes: [],
  numRetries: 1,
  baseIntervalMs: 1,
  maxIntervalMs: 2,
  previousHosts: false,
  hostSelectionAttempts: 1,
};

/** The first request waits for the test, the others are answered at once. */
async function slowFirst(status = 200) {
  const first = Promise.withResolvers<void>();
  let arrived = 0;
  const { port } = await serveHttp(async (request, response) => {
    request.resume();
    if (arrived++ > 0) {
      response.writeHead(status).end('fast');
      return;
    }
    await first.promise;
    response.end('slow');
  });
  return { port, answerFirst: () => first.resolve(), arrived: () => arrived };
}

async function call(
  port: number,
  action: Partial<ForwardAction>,
  asked: Asked = {},
  on?: (upstream: Upstream) => void,
) {
  const target = await stage.target([route('r', {}, forward({ a: 1 }, action))], { a: cluster('a', [port]) });
  const [upstream] = target.upstreams.values();
  if (upstream !== undefined) on?.(upstream);
  const answer = await ask(stage, target, asked).ended;
  expect(upstream?.breaker('default')).toMatchObject({ retries: 0, requests: 0 });
  return answer;
}

describe('a hedge', () => {
  it('needs no retries to be asked for', async () => {
    const { port } = await slowFirst();
    const answer = await call(port, { hedge });
    expect(answer.text).toBe('fast');
    expect(answer.call?.story.attempts).toHaveLength(2);
  });

  it("waits as long as 95 of 100 answers take, and is not begun before that is known ('p95')", async () => {
    const { port } = await slowFirst();
    const p95 = { ...hedge, delay: 'p95' } as const;
    const answer = await call(port, { hedge: p95 }, {}, (upstream) => {
      upstream.p95Ms = () => 10;
    });
    expect(answer.text).toBe('fast');
    const other = await slowFirst();
    setTimeout(other.answerFirst, 40);
    const unmeasured = await call(other.port, { hedge: p95 }, {}, (upstream) => {
      upstream.p95Ms = () => undefined;
    });
    expect(unmeasured.text).toBe('slow');
    expect(other.arrived()).toBe(1);
  });

  it('whose answer is bad is dropped while another goes on', async () => {
    const { port, answerFirst, arrived } = await slowFirst(500);
    void until(() => arrived() === 2).then(answerFirst);
    expect(await call(port, { hedge })).toMatchObject({ status: 200, text: 'slow' });
    expect(arrived()).toBe(2);
  });

  it('takes its place among the retries that may be under way', async () => {
    const { port, answerFirst, arrived } = await slowFirst();
    setTimeout(answerFirst, 40);
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { hedge }))], {
      a: cluster('a', [port], { circuitBreakers: { default: { maxRetries: 0 }, high: {} } }),
    });
    expect(await ask(stage, target).ended).toMatchObject({ text: 'slow' });
    expect(arrived()).toBe(1);
  });
});

describe('what a caller asks for', () => {
  const policy = (options: NonNullable<Asked['options']>['policy']): Asked =>
    options ? { options: { policy: options } } : {};

  it('a hedge, where the route has none', async () => {
    const { port } = await slowFirst();
    expect(await call(port, {}, policy({ hedge: { delayMs: 10 } }))).toMatchObject({ text: 'fast' });
  });

  it('no retries, whatever the route says', async () => {
    const { port } = await serveHttp((_, response) => response.writeHead(503).end());
    const answer = await call(port, { retry }, policy({ retry: false }));
    expect(answer.call?.story.attempts).toHaveLength(1);
  });

  it('retries: words are added, numbers replace', async () => {
    const { port } = await serveHttp((_, response) => response.writeHead(409).end());
    const asked = policy({ retry: { on: 'retriable-4xx', attempts: 3 } });
    const answer = await call(port, { retry }, asked);
    expect(answer.call?.story.attempts).toHaveLength(4);
    const alone = await call(port, {}, policy({ retry: { on: ['retriable-4xx'] } }));
    expect(alone.call?.story.attempts).toHaveLength(2);
  });

  it('the resource makes what is not idempotent repeatable, a caller who says otherwise is heard', async () => {
    const { port } = await serveHttp((_, response) => response.writeHead(503).end());
    const attempts = async (asked: Asked): Promise<number | undefined> => {
      const answer = await call(port, { retry, retryNonIdempotent: true }, { method: 'POST', ...asked });
      return answer.call?.story.attempts.length;
    };
    expect(await attempts({})).toBe(2);
    expect(await attempts(policy({ idempotent: false }))).toBe(1);
  });

  it('of all calls of a mesh is worked out once a route', () => {
    const action = forward({ a: 1 }, { retry });
    const common = { retry: { attempts: 7 } };
    keepTermsOf(common);
    expect(termsOf(action, undefined, common)).toBe(termsOf(action, undefined, common));
    expect(termsOf(action, undefined, common).retry?.numRetries).toBe(7);
    expect(termsOf(action, undefined).retry?.numRetries).toBe(1);
  });
});

describe('a retry of a weighted split', () => {
  it('goes to a cluster drawn anew where the policy says so', async () => {
    const bad = await serveHttp((_, response) => response.writeHead(503).end('bad'));
    const good = await serveHttp((_, response) => response.end('good'));
    // The first draw of a call decides the split, as it does for each retry.
    const draws = [0, 0, 1];
    stage = createStage({ random: () => draws.shift() ?? 1 });
    const clusters = { a: cluster('a', [bad.port]), b: cluster('b', [good.port]) };
    const again = { retry: { ...retry, repickCluster: true } };
    const target = await stage.target([route('r', {}, forward({ a: 1, b: 1 }, again))], clusters);
    const answer = await ask(stage, target).ended;
    expect(answer.text).toBe('good');
    expect(answer.call?.story).toMatchObject({ cluster: 'b', flags: [] });
  });
});
