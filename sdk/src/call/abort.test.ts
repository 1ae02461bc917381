import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp, serveRaw, until } from '../connection/origin.fixture.ts';
import { route } from '../route/route.fixture.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import type { LiveTarget } from './live-target.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const REASON = { not: 'an Error' };

/** Everything is given back, and the handler has heard of it once. */
function expectAborted(answer: Answer, target: LiveTarget): void {
  expect(answer.error).toBe(REASON);
  expect(activeRequests(target.upstreams.values())).toBe(0);
  expect(answer.call?.story).toMatchObject({ flag: 'DC', local: false });
  expect(stage.events.filter(({ kind }) => kind === 'call')).toHaveLength(1);
  answer.call?.abort('again');
}

const to = (port: number, tls = false) =>
  stage.target([route('r')], {
    a: cluster(
      'a',
      [port],
      tls ? { tls: { alpn: [], roots: { kind: 'system' as const }, subjectAltNames: [], sni: 'reviews' } } : {},
    ),
  });

describe('abort gives the caller’s own reason at once and releases everything', () => {
  it('before anything has happened', async () => {
    const target = await to(1);
    const answer = ask(stage, target);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
  });

  it('before a local reply', async () => {
    const target = await stage.target([], {});
    const answer = ask(stage, target);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    await Promise.resolve();
    expect(answer.status).toBe(0);
  });

  it('while a connection is dialled: the dial ends', async () => {
    const origin = await serveRaw(() => {});
    const target = await to(origin.port, true);
    const answer = ask(stage, target);
    await until(() => origin.sockets.size === 1);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    expect(stage.connections.stats()).toMatchObject({ open: 0, dialling: 0, waiting: 0 });
    await until(() => origin.sockets.size === 0);
  });

  it('on a kept connection before the request is written: nothing is sent and the connection serves the next call', async () => {
    let requests = 0;
    const origin = await serveHttp((_, reply) => {
      requests++;
      reply.end('x');
    });
    const target = await to(origin.port);
    await ask(stage, target).ended;
    stage.events.length = 0;
    const answer = ask(stage, target);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    await until(() => stage.connections.stats().idle === 1);
    await ask(stage, target).ended;
    expect({ requests, connections: origin.connections }).toEqual({ requests: 2, connections: 1 });
  });

  it('while the answer is waited for: the connection is closed', async () => {
    let requests = 0;
    const origin = await serveHttp(() => requests++);
    const target = await to(origin.port);
    const answer = ask(stage, target);
    await until(() => requests === 1);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    await until(() => origin.sockets.size === 0 && stage.connections.stats().open === 0);
  });

  it('while the request body is sent: the stream is let go, even while it waits for its next piece', async () => {
    const origin = await serveHttp((request) => request.resume());
    const target = await to(origin.port);
    let isFreed = false;
    const stream: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          isFreed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    const answer = ask(stage, target, { method: 'POST', body: { kind: 'stream', stream } });
    await until(() => origin.sockets.size === 1 && stage.connections.stats().open === 1);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    expect(isFreed).toBe(true);
    await until(() => stage.connections.stats().open === 0);
  });

  it.each([
    { when: 'from onHeaders', hook: 'onHeaders' },
    { when: 'from onData', hook: 'onData' },
  ] as const)('$when', async ({ hook }) => {
    const { port } = await serveHttp((_, reply) => reply.end('x'.repeat(10)));
    const target = await to(port);
    const answer = ask(stage, target);
    const original = answer[hook].bind(answer) as (...args: unknown[]) => unknown;
    Object.assign(answer, {
      [hook]: (...args: unknown[]) => {
        const result = original(...args);
        answer.call?.abort(REASON);
        return result;
      },
    });
    await answer.ended;
    expectAborted(answer, target);
  });

  it('after the end changes nothing', async () => {
    const target = await to((await serveHttp((_, reply) => reply.end('x'))).port);
    const answer = await ask(stage, target).ended;
    answer.call?.abort(REASON);
    expect(answer.error).toBeUndefined();
  });
});

describe('an answer nobody wants', () => {
  async function abandoned(asked: Asked, size: number, isComplete: boolean) {
    const origin = await serveHttp((_, reply) => {
      reply.writeHead(200, { 'content-length': size });
      reply.flushHeaders();
      if (isComplete) setImmediate(() => reply.end('x'.repeat(size)));
    });
    const target = await to(origin.port);
    const answer = ask(stage, target, asked);
    answer.onHeaders = () => answer.call?.abort(REASON);
    await answer.ended;
    expectAborted(answer, target);
    return { origin, target };
  }

  it('is read to its end where it is short, and its connection kept', async () => {
    const { origin, target } = await abandoned({}, 16_000, true);
    await until(() => stage.connections.stats().idle === 1);
    await ask(stage, target).ended;
    expect(origin.connections).toBe(1);
  });

  it('costs its connection where it is longer than 16 KiB', async () => {
    await abandoned({}, 200_000, true);
    await until(() => stage.connections.stats().open === 0);
  });

  it('costs its connection where it takes longer than 100 ms', async () => {
    await abandoned({}, 10, false);
    await until(() => stage.connections.stats().open === 0);
  });

  it('is also read on where it was paused', async () => {
    const { port } = await serveHttp((_, reply) => reply.end('x'.repeat(100)));
    const target = await to(port);
    const answer = ask(stage, target);
    answer.isFlowing = false;
    await until(() => answer.chunks === 1);
    answer.call?.abort(REASON);
    expectAborted(answer, target);
    await until(() => stage.connections.stats().idle === 1);
  });
});
