import http from 'node:http';
import http2, { type ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import { closeOrigins, deadPort, serve, until } from '../connection/origin.fixture.ts';
import { forward, route } from '../route/route.fixture.ts';
import { type Answer, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';

/** Calls under limits, on servers that misbehave: what was taken of the breaker is given back, and everybody is answered. */
let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const HTTP2: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  '/ok': (stream) => answer(stream, 'ok'),
  '/large': (stream) => answer(stream, 'x'.repeat(300_000)),
  '/late': (stream) => setTimeout(() => answer(stream, 'late'), 3),
  '/silent': () => {},
  '/refused': (stream) => stream.close(7),
  '/reset': (stream) => stream.close(2),
  '/lost': (stream) => stream.session?.destroy(),
  '/away': (stream) => {
    stream.session?.goaway(0, stream.id ?? 0);
    setImmediate(() => answer(stream, 'away'));
  },
  '/abrupt': (stream) => stream.session?.goaway(2, 0),
  '/broken': (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('part', () => stream.close(2));
  },
  '/stuck': (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('part');
  },
};

function answer(stream: ServerHttp2Stream, text: string): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 200 });
  stream.end(text);
}

const HTTP1: Readonly<Record<string, http.RequestListener>> = {
  '/ok': (_, reply) => reply.end('ok'),
  '/large': (_, reply) => reply.end('x'.repeat(300_000)),
  '/late': (_, reply) => setTimeout(() => reply.end('late'), 3),
  '/silent': () => {},
  '/reset': (request) => request.socket.resetAndDestroy(),
  '/lost': (request) => request.socket.destroy(),
  '/away': (_, reply) => reply.setHeader('connection', 'close').end('away'),
  '/stuck': (_, reply) => reply.write('part'),
};

async function serveBadly(isHttp2: boolean): Promise<number> {
  if (!isHttp2) {
    const server = http.createServer((request, reply) => HTTP1[request.url ?? '']?.(request.resume(), reply));
    return (await serve(server)).port;
  }
  const server = http2.createServer({ settings: { maxConcurrentStreams: 5 } });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {}).resume();
    HTTP2[String(headers[':path'])]?.(stream);
  });
  return (await serve(server)).port;
}

async function* drip(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield new Uint8Array(10);
  }
}

describe.each([
  { protocol: 'HTTP/2', isHttp2: true },
  { protocol: 'HTTP/1.1', isHttp2: false },
])('limits of a cluster on $protocol', ({ isHttp2 }) => {
  it.each([
    { seed: 1, limits: { maxConnections: 2, maxPendingRequests: 10, maxRequests: 20 } },
    { seed: 2, limits: { maxConnections: 0, maxPendingRequests: 3 } },
    { seed: 3, limits: { maxConnections: 5, maxConnectionsPerHost: 2 } },
  ])('hold, and nothing leaks (seed $seed)', async ({ seed, limits }) => {
    const random = seededRandom(seed);
    const draw = (bound: number): number => random() % bound;
    const paths = Object.keys(isHttp2 ? HTTP2 : HTTP1);
    const ports = await Promise.all([serveBadly(isHttp2), serveBadly(isHttp2), serveBadly(isHttp2), deadPort()]);
    const target = await stage.target(
      [
        route(
          'r',
          {},
          forward(
            {},
            {
              clusters: forward().clusters,
              timeoutMs: 300,
              retry: {
                on: ['reset', 'refused-stream', 'connect-failure'],
                numRetries: 2,
                retriableStatusCodes: [],
                baseIntervalMs: 1,
                maxIntervalMs: 2,
                previousHosts: false,
                hostSelectionAttempts: 1,
              },
            },
          ),
        ),
      ],
      { a: cluster('a', ports, { http2: isHttp2, circuitBreakers: { default: limits, high: {} } }) },
    );
    const breaker = target.upstreams.get('a')?.breaker('default');
    const answers: Answer[] = [];
    const { maxConnections, maxPendingRequests = Number.POSITIVE_INFINITY } = {
      maxPendingRequests: undefined,
      ...limits,
    };
    for (let i = 0; i < 300; i++) {
      const path = paths[draw(paths.length)] ?? '/ok';
      const body = draw(4) === 0 ? ({ kind: 'stream', stream: drip(draw(4)) } as const) : ({ kind: 'none' } as const);
      const one = ask(stage, target, { path, method: draw(3) === 0 ? 'PUT' : 'GET', body });
      answers.push(one);
      if (draw(5) === 0) {
        for (let turns = draw(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        one.call?.abort('enough');
      }
      if (draw(3) === 0) await new Promise((resolve) => setImmediate(resolve));
      // Each host may have a first one beyond the limit.
      expect(breaker?.connections).toBeLessThanOrEqual(maxConnections + ports.length);
      expect(breaker?.pending).toBeLessThanOrEqual(maxPendingRequests);
    }
    await Promise.all(answers.map(({ ended }) => ended));
    expect(activeRequests(target.upstreams.values())).toBe(0);
    await until(() => stage.connections.stats().dialling === 0);
    expect(breaker).toMatchObject({ pending: 0, requests: 0, retries: 0 });
    // So many retries may have left none for a while, and one host in four is dead.
    stage.addMs += 60_000;
    expect(await ask(stage, target, { path: '/ok' }).ended).toMatchObject({ status: 200, text: 'ok' });
    await stage.connections.closeAll(0);
    await until(() => breaker?.connections === 0);
    expect(stage.connections.stats()).toMatchObject({ open: 0, idle: 0, waiting: 0 });
  });
});
