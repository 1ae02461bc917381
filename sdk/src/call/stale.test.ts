import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, type Origin, serveRaw, until } from '../connection/origin.fixture.ts';
import { route } from '../route/route.fixture.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';

/** The keep-alive race: the peer closes a kept connection just as the next request goes out on it. */
let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx';

/** Answers the first request on each connection; what happens to later ones is the test's. */
async function race(onReused: (socket: Socket) => void): Promise<{ origin: Origin; requests: string[] }> {
  const used = new WeakSet<Socket>();
  const requests: string[] = [];
  const origin = await serveRaw((socket, text) => {
    requests.push(text.slice(0, text.indexOf(' ')));
    if (used.has(socket)) return onReused(socket);
    used.add(socket);
    socket.write(OK);
  });
  return { origin, requests };
}

async function second(origin: Origin, asked: Asked): Promise<Answer> {
  const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
  await ask(stage, target).ended;
  const answer = await ask(stage, target, asked).ended;
  expect(activeRequests(target.upstreams.values())).toBe(0);
  return answer;
}

const bytes = { kind: 'bytes', bytes: new TextEncoder().encode('b') } as const;

describe('a kept connection that is closed before any byte of the answer', () => {
  it.each([
    { what: 'GET', asked: {} },
    { what: 'PUT with bytes', asked: { method: 'PUT', body: bytes } },
    { what: 'DELETE', asked: { method: 'DELETE' } },
  ])('$what goes once more, on a new connection, and the endpoint is not blamed', async ({ asked }) => {
    const { origin, requests } = await race((socket) => socket.destroy());
    const answer = await second(origin, asked);
    expect(answer).toMatchObject({ status: 200, text: 'x' });
    expect(answer.call?.story.attempts).toMatchObject([
      { flag: 'UC', reused: true },
      { status: 200, reused: false },
    ]);
    expect(origin.connections).toBe(2);
    expect(requests).toHaveLength(3);
  });

  it.each([
    { what: 'POST: it is not idempotent (RFC 9110 §9.2.2)', asked: { method: 'POST', body: bytes } },
    {
      what: 'a stream of which something was taken',
      asked: {
        method: 'PUT',
        body: {
          kind: 'stream' as const,
          stream: (async function* () {
            yield new Uint8Array([1]);
          })(),
        },
      },
    },
  ])('not $what', async ({ asked }) => {
    const { origin } = await race((socket) => socket.destroy());
    const answer = await second(origin, asked);
    expect(answer).toMatchObject({ status: 503 });
    expect(answer.text).toBe(
      'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
    );
    expect(origin.connections).toBe(1);
  });

  it('goes once more only once: the second failure says so, as Envoy does', async () => {
    let isFirst = true;
    const origin = await serveRaw((socket) => {
      if (isFirst) socket.write(OK);
      else socket.destroy();
      isFirst = false;
    });
    const answer = await second(origin, {});
    expect(answer.status).toBe(503);
    expect(answer.text).toBe(
      'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination',
    );
    expect(answer.call?.story.attempts).toHaveLength(2);
    expect(origin.connections).toBe(2);
  });
});

describe('a kept connection that is closed', () => {
  it('within the head of its answer is not a race', async () => {
    const { origin } = await race((socket) => socket.end('HTTP/1.1 200'));
    expect(await second(origin, {})).toMatchObject({ status: 502 });
    expect(origin.connections).toBe(1);
  });

  it('while it is idle is noticed before the request is written: any request goes elsewhere unharmed', async () => {
    const { origin, requests } = await race((socket) => socket.destroy());
    const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
    await ask(stage, target).ended;
    // The FIN is in the kernel when the call starts, but nobody has read it yet.
    const [socket] = origin.sockets;
    socket?.end();
    await until(() => origin.sockets.size === 0 || socket?.writableFinished === true);
    const answer = await ask(stage, target, { method: 'POST', body: bytes }).ended;
    expect(answer).toMatchObject({ status: 200, text: 'x' });
    expect(requests).toEqual(['GET', 'POST']);
    expect(origin.connections).toBe(2);
  });
});
