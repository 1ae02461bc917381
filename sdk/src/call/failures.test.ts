import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, deadPort, serveHttp, serveRaw, until } from '../connection/origin.fixture.ts';
import { MeshError } from '../errors.ts';
import type { ClusterState } from '../model/target.ts';
import { forward, path, route, setHeader } from '../route/route.fixture.ts';
import { type Answer, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';

/** What Envoy 1.40 answers was recorded from its binary with the same upstreams; bodies and statuses are its own. */
let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const RESET = 'upstream connect error or disconnect/reset before headers. ';

async function callTo(state: ClusterState, asked: Parameters<typeof ask>[2] = {}): Promise<Answer> {
  const target = await stage.target([route('r')], { a: state });
  const answer = await ask(stage, target, asked).ended;
  expect(activeRequests(target.upstreams.values())).toBe(0);
  return answer;
}

/** Answers as a response. */
function expectReply(answer: Answer, status: number, flag: string | undefined, body: string): void {
  expect(answer.error).toBeUndefined();
  expect(answer).toMatchObject({ status, text: body });
  expect(answer.header('content-length')).toBe(String(body.length));
  expect(answer.header('content-type')).toBe(body === '' ? undefined : 'text/plain');
  expect(answer.call?.story).toMatchObject({ local: true, flag });
}

describe('local replies are Envoy’s', () => {
  it('404 NR with an empty body where no virtual host or no route matches', async () => {
    const target = await stage.target([route('r', { path: path('exact', '/a') })], {});
    expectReply(await ask(stage, target, { authority: 'other' }).ended, 404, 'NR', '');
    expectReply(await ask(stage, target, { path: '/b' }).ended, 404, 'NR', '');
  });

  it('503 NC with an empty body where the cluster is missing or has failed', async () => {
    const target = await stage.target([route('r')], {});
    expectReply(await ask(stage, target).ended, 503, 'NC', '');
    expectReply(await callTo({ kind: 'failed', reason: 'no such resource' }), 503, 'NC', '');
  });

  it('503 NC where the route’s action is unknown to us', async () => {
    const target = await stage.target([route('r', {}, { kind: 'refuse', reason: 'non_forwarding_action' })], {});
    expectReply(await ask(stage, target).ended, 503, 'NC', '');
  });

  it('503 UH where there are no endpoints', async () => {
    expectReply(await callTo(cluster('a', [])), 503, 'UH', 'no healthy upstream');
  });

  it('503 UH where a host name has no address (what STRICT_DNS makes of it)', async () => {
    expectReply(
      await callTo(cluster('a', [{ address: 'nowhere.invalid', port: 80 }])),
      503,
      'UH',
      'no healthy upstream',
    );
  });

  it('503 UF where the connection is refused', async () => {
    const answer = await callTo(cluster('a', [await deadPort()]));
    expectReply(answer, 503, 'UF', `${RESET}reset reason: remote connection failure`);
    expect(answer.call?.story.attempts).toMatchObject([
      { flag: 'UF', reused: false, reason: expect.stringContaining('127.0.0.1:') },
    ]);
  });

  it('503 UF where the connection takes too long', async () => {
    // TLS to a peer that says nothing.
    const { port } = await serveRaw(() => {});
    const tls = { alpn: [], roots: { kind: 'system' as const }, subjectAltNames: [], sni: 'reviews' };
    const answer = await callTo(cluster('a', [port], { connectTimeoutMs: 20, tls }));
    expectReply(answer, 503, 'UF', `${RESET}reset reason: connection timeout`);
  });

  it.each([
    { how: 'closed', answerWith: (socket: Socket) => socket.end() },
    { how: 'reset', answerWith: (socket: Socket) => socket.resetAndDestroy() },
  ])('503 UC where a new connection is $how before an answer', async ({ answerWith }) => {
    const { port } = await serveRaw((socket) => answerWith(socket));
    expectReply(await callTo(cluster('a', [port])), 503, 'UC', `${RESET}reset reason: connection termination`);
  });

  it.each([
    { how: 'is not HTTP', text: 'hello garbage\r\n\r\n' },
    { how: 'breaks off within its head', text: 'HTTP/1.1 200 OK\r\ncontent-le' },
  ])('502 UPE where the answer $how', async ({ text }) => {
    const { port } = await serveRaw((socket) => socket.end(text));
    expectReply(await callTo(cluster('a', [port])), 502, 'UPE', `${RESET}reset reason: protocol error`);
  });

  it('504 UT where the route’s timeout is over, also while a connection is waited for', async () => {
    const { port } = await serveRaw(() => {});
    const action = forward({ a: 1 }, { timeoutMs: 20 });
    for (const tls of [
      undefined,
      { alpn: [], roots: { kind: 'system' as const }, subjectAltNames: [], sni: 'reviews' },
    ]) {
      const target = await stage.target([route('r', {}, action)], {
        a: cluster('a', [port], tls === undefined ? {} : { tls }),
      });
      const answer = await ask(stage, target).ended;
      expectReply(answer, 504, 'UT', 'upstream request timeout');
      expect(answer.call?.story.attempts).toMatchObject([{ flag: 'UT' }]);
      expect(activeRequests(target.upstreams.values())).toBe(0);
    }
    await until(() => stage.connections.stats().open === 0);
    expect(stage.connections.stats()).toMatchObject({ dialling: 0, waiting: 0 });
  });

  it('504 UT at once where the caller’s deadline has passed', async () => {
    const target = await stage.target([route('r')], { a: cluster('a', [1]) });
    const answer = await ask(stage, target, { options: { deadlineMs: stage.runtime.clock.now() } }).ended;
    expectReply(answer, 504, 'UT', 'upstream request timeout');
    expect(stage.connections.stats().dialled).toBe(0);
  });

  it('redirects and direct responses are as the route says, with its response headers', async () => {
    const target = await stage.target(
      [
        route(
          'a',
          { path: path('exact', '/a') },
          { kind: 'redirect', code: 307, host: 'other', path: '/p', stripQuery: false },
          {
            responseHeaders: { set: [setHeader('x-r', '1')], remove: [] },
          },
        ),
        route(
          'b',
          { path: path('exact', '/b') },
          { kind: 'respond', status: 418, body: new TextEncoder().encode('teapot') },
        ),
        route(
          'c',
          { path: path('exact', '/c') },
          { kind: 'respond', status: 204, body: new TextEncoder().encode('x') },
        ),
      ],
      {},
    );
    const redirected = await ask(stage, target, { path: '/a' }).ended;
    expectReply(redirected, 307, undefined, '');
    expect(redirected.header('location')).toBe('http://other/p');
    expect(redirected.header('x-r')).toBe('1');
    expectReply(await ask(stage, target, { path: '/b' }).ended, 418, undefined, 'teapot');
    expect(await ask(stage, target, { path: '/b', method: 'HEAD' }).ended).toMatchObject({ status: 418, text: '' });
    expect(await ask(stage, target, { path: '/c' }).ended).toMatchObject({ status: 204, text: '' });
  });
});

describe("localReply: 'throw'", () => {
  const options = { localReply: 'throw' } as const;

  it.each([
    { code: 'MESH_NO_ROUTE', flag: 'NR', status: 404, asked: { path: '/none' } },
    { code: 'MESH_NO_CLUSTER', flag: 'NC', status: 503, asked: { path: '/missing' } },
    { code: 'MESH_NO_HEALTHY_UPSTREAM', flag: 'UH', status: 503, asked: { path: '/empty' } },
    { code: 'MESH_CONNECT_FAILED', flag: 'UF', status: 503, asked: { path: '/dead' } },
    { code: 'MESH_RESET', flag: 'UC', status: 503, asked: { path: '/reset' } },
    { code: 'MESH_TIMEOUT', flag: 'UT', status: 504, asked: { path: '/slow' } },
    { code: 'MESH_LOCAL_REPLY', flag: undefined, status: 418, asked: { path: '/teapot' } },
  ])('rejects with $code', async ({ code, flag, status, asked }) => {
    const [slow, reset] = [await serveRaw(() => {}), await serveRaw((socket) => socket.end())];
    const to = (name: string, timeoutMs = 0) =>
      route(name, { path: path('exact', `/${name}`) }, forward({ [name]: 1 }, { timeoutMs }));
    const target = await stage.target(
      [
        to('missing'),
        to('empty'),
        to('dead'),
        to('reset'),
        to('slow', 10),
        route('teapot', { path: path('exact', '/teapot') }, { kind: 'respond', status: 418, body: new Uint8Array() }),
      ],
      {
        empty: cluster('empty', []),
        dead: cluster('dead', [await deadPort()]),
        reset: cluster('reset', [reset.port]),
        slow: cluster('slow', [slow.port]),
      },
    );
    const { error, call } = await ask(stage, target, { ...asked, options }).ended;
    expect(error).toBeInstanceOf(MeshError);
    expect(error).toMatchObject({ code, flag, status });
    expect(error).toHaveProperty('mesh', call?.story);
  });

  it('still resolves redirects', async () => {
    const target = await stage.target(
      [route('r', {}, { kind: 'redirect', code: 302, path: '/p', stripQuery: false })],
      {},
    );
    expect((await ask(stage, target, { options }).ended).status).toBe(302);
  });
});

describe('an answer that fails after its head', () => {
  it('rejects with MESH_RESET where the body breaks off', async () => {
    const { port } = await serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
    const answer = await callTo(cluster('a', [port]));
    expect(answer).toMatchObject({ status: 200, text: 'abc', error: { code: 'MESH_RESET' } });
    expect(answer.call?.story).toMatchObject({ local: false, flag: 'UPE' });
  });

  it('rejects with MESH_TIMEOUT where the route’s timeout ends it: the timeout is that of the whole answer', async () => {
    const { port } = await serveHttp((_, reply) => reply.write('x'));
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { timeoutMs: 50 }))], {
      a: cluster('a', [port]),
    });
    const answer = await ask(stage, target).ended;
    expect(answer).toMatchObject({ status: 200, text: 'x', error: { code: 'MESH_TIMEOUT', flag: 'UT' } });
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });
});

describe('the route’s timeout of a streamed request', () => {
  it('begins when the request has been sent (Envoy RouteAction.timeout)', async () => {
    const { port } = await serveHttp((request, reply) => request.resume().on('end', () => reply.end('x')));
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('a');
      await held;
      yield new TextEncoder().encode('b');
    }
    const timers: number[] = [];
    const { runtime } = stage;
    const clock = {
      ...runtime.clock,
      after(ms: number, run: () => void) {
        timers.push(Math.round(ms));
        return runtime.clock.after(ms, run);
      },
    };
    stage = createStage({ clock });
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { timeoutMs: 7_000 }))], {
      a: cluster('a', [port]),
    });
    const answer = ask(stage, target, { method: 'POST', body: { kind: 'stream', stream: slow() } });
    await until(() => stage.connections.stats().open === 1);
    expect(timers).not.toContain(7_000);
    release();
    expect((await answer.ended).text).toBe('x');
    expect(timers).toContain(7_000);
  });
});

describe('a streamed request whose answer begins before it is sent', () => {
  it('is under the route’s timeout once it is sent', async () => {
    const { port } = await serveHttp((request, reply) => {
      request.resume();
      reply.write('x');
    });
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('a');
      await until(() => answer.status === 200);
    }
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { timeoutMs: 20 }))], {
      a: cluster('a', [port]),
    });
    const answer: Answer = ask(stage, target, { method: 'POST', body: { kind: 'stream', stream: slow() } });
    expect(await answer.ended).toMatchObject({ status: 200, error: { code: 'MESH_TIMEOUT' } });
  });
});

describe('a late timer', () => {
  it('lets an answer that is in the kernel already count', async () => {
    const { port } = await serveHttp((_, reply) => reply.end('x'));
    const action = forward({ a: 1 }, { timeoutMs: 30 });
    const target = await stage.target([route('r', {}, action)], { a: cluster('a', [port]) });
    await ask(stage, target).ended;
    const turns: (() => void)[] = [];
    stage = createStage({ turn: (run) => turns.push(run) });
    const other = await stage.target([route('r', {}, action)], { a: cluster('a', [(await serveRaw(() => {})).port]) });
    const answer = ask(stage, other);
    stage.addMs = 1_000;
    await until(() => turns.length > 0);
    expect(answer.status).toBe(0);
    for (const turn of turns) turn();
    expect((await answer.ended).status).toBe(504);
  });
});
