import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, deadPort, serve, until } from '../connection/origin.fixture.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import type { CircuitBreaker } from '../model/cluster.ts';
import { forward, path, route } from '../route/route.fixture.ts';
import type { Breaker } from '../upstream/breaker.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import type { LiveTarget } from './live-target.ts';

let stage: Stage;
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

/** Park and Miller: the same calls in every run. */
function createDraw(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  };
}

beforeEach(() => {
  const draw = createDraw(7);
  stage = createStage({ random: () => draw(2_147_483_647) * 2 });
});

const retry: RetryPolicy = {
  on: ['5xx', 'reset', 'connect-failure'],
  retriableStatusCodes: [],
  numRetries: 2,
  perTryTimeoutMs: 60,
  perTryIdleTimeoutMs: 50,
  baseIntervalMs: 2,
  maxIntervalMs: 10,
  previousHosts: true,
  repickCluster: true,
  hostSelectionAttempts: 2,
};
const half = { numerator: 50, denominator: 100 } as const;
const mirror = { cluster: 'live', fraction: half, shadowSuffix: true };

/** Every policy with every other. */
const POLICIES: Readonly<Record<string, Partial<ForwardAction>>> = {
  '/retries': { retry },
  '/hedges': { retry, hedge: { onPerTryTimeout: false, delay: 5, maxHedges: 2 } },
  '/late': { retry, hedge: { onPerTryTimeout: true } },
  '/mirrors': {
    mirrors: [mirror, { ...mirror, cluster: 'dead' }],
    mirrorComparison: { status: true, json: true, latency: true },
  },
  '/faults': {
    retry,
    fault: { delay: { ms: 5, fraction: half }, abort: { httpStatus: 503, fraction: half }, maxActive: 2 },
  },
  '/attempts': {
    retry,
    fault: { delay: { ms: 80, fraction: half }, abort: { httpStatus: 503, fraction: half }, scope: 'attempt' },
  },
  '/all': {
    retry,
    idleTimeoutMs: 80,
    maxStreamDurationMs: 150,
    hedge: { onPerTryTimeout: true, delay: 10 },
    mirrors: [mirror],
    fault: { delay: { ms: 5, fraction: half }, scope: 'attempt' },
    statefulSession: { kind: 'cookie', name: 's', path: '/', strict: false },
  },
};

const HOW: readonly http.RequestListener[] = [
  (_, reply) => reply.end('{"a":1}'),
  (_, reply) => reply.writeHead(503).end('no'),
  (_, reply) => setTimeout(() => reply.end('late'), 15),
  () => {},
  (request) => request.socket.resetAndDestroy(),
  (_, reply) => reply.write('part'),
  (request, reply) => {
    reply.writeHead(200, { 'content-length': 100 });
    reply.write('part', () => request.socket.destroy());
  },
];

/** Fails as soon as something is given back that was not taken. */
function watchBreakers(target: LiveTarget): readonly Breaker[] {
  return [...target.upstreams.values()].flatMap((upstream) => [upstream.breaker('default'), upstream.breaker('high')]);
}

async function* drip(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield new Uint8Array(10);
  }
}

function drawCall(draw: (bound: number) => number): Asked {
  const paths = Object.keys(POLICIES);
  const asked = { path: paths[draw(paths.length)] ?? '/all' };
  const idempotent = { options: { policy: { idempotent: draw(2) === 0 } } };
  switch (draw(4)) {
    case 0:
      return { ...asked, ...idempotent, method: 'POST', body: { kind: 'bytes', bytes: new Uint8Array(100) } };
    case 1:
      return { ...asked, method: 'PUT', body: { kind: 'stream', stream: drip(draw(4)) } };
    default:
      return asked;
  }
}

const LIMITS: readonly CircuitBreaker[] = [
  {},
  { maxConnections: 4, maxPendingRequests: 3, maxRequests: 12, maxRetries: 2 },
  { maxRequests: 8, retryBudget: { percent: 20, minConcurrency: 1 } },
];

describe('calls under every policy and everything that can go wrong', () => {
  it.each([1, 2, 3])('end once and give everything back that they took, once (seed %i)', async (seed) => {
    const draw = createDraw(seed * 31);
    const server = http.createServer((request, reply) => HOW[draw(HOW.length)]?.(request.resume(), reply));
    const { port } = await serve(server);
    const limits = LIMITS[seed - 1] ?? {};
    const more = { circuitBreakers: { default: limits, high: {} }, maxStreamDurationMs: 120 };
    const split = (action: Partial<ForwardAction>) => forward({ live: 2, other: 1 }, { timeoutMs: 200, ...action });
    const target = await stage.target(
      Object.entries(POLICIES).map(([name, action]) => route(name, { path: path('exact', name) }, split(action))),
      {
        live: cluster('live', [port], more),
        other: cluster('other', [port, await deadPort()], more),
        dead: cluster('dead', [await deadPort()]),
      },
    );
    const breakers = watchBreakers(target);
    const answers: Answer[] = [];
    for (let i = 0; i < 250; i++) {
      const answer = ask(stage, target, drawCall(draw));
      answers.push(answer);
      if (draw(3) === 0) {
        for (let turns = draw(8); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        answer.call?.abort('enough');
      }
      if (draw(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const { requests, pending, retries, connections } of breakers)
        expect(Math.min(requests, pending, retries, connections)).toBeGreaterThanOrEqual(0);
    }
    // An answer that ends twice throws; one that never ends is a time-out of this test.
    await Promise.all(answers.map(({ ended }) => ended));
    expect(stage.events.filter(({ kind }) => kind === 'call')).toHaveLength(answers.length);
    for (const { call } of answers) expect(call?.story.timings.endMs).toBeGreaterThan(0);
    const flags = new Set(answers.flatMap(({ call }) => call?.story.flags ?? []));
    for (const flag of ['FI', 'DI', 'UT', 'DC'] as const) expect(flags).toContain(flag);
    expect(answers.some(({ call }) => (call?.story.attempts.length ?? 0) > 1)).toBe(true);
    // Mirrors may go on for their own 200 ms.
    await until(() => activeRequests(target.upstreams.values()) === 0);
    for (const { requests, pending, retries } of breakers)
      expect({ requests, pending, retries }).toEqual({ requests: 0, pending: 0, retries: 0 });
    await until(() => stage.connections.stats().open === stage.connections.stats().idle);
    expect(stage.connections.stats()).toMatchObject({ dialling: 0, waiting: 0 });
    await stage.connections.closeAll(0);
    expect(breakers.map(({ connections }) => connections)).toEqual(breakers.map(() => 0));
  });
});
