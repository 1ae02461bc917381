import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, until, type World, world } from './world.ts';

let origin: Origin;
let at: World;
let answer: NonNullable<Parameters<typeof startOrigin>[0]> = (_request, response) => response.end('ok');

beforeAll(async () => {
  origin = await startOrigin((request, response, body) => answer(request, response, body));
  at = await world(
    service('echo', { v1: origin.port }) + rules('echo', '- name: all\n  route: [{ destination: { host: echo } }]'),
  );
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
});
afterEach(() => {
  answer = (_request, response) => response.end('ok');
});

describe('streams', () => {
  it('events come one by one, unbuffered', async () => {
    let send = (_text: string) => {};
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      send = (text) => void response.write(text);
    };
    const response = await at.mesh.fetch('http://echo/');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (const text of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      send(text);
      expect((await reader?.read())?.value).toBe(text);
    }
    await reader?.cancel();
  });

  it('a cancelled body closes its connection', async () => {
    let isClosed = false;
    answer = (request, response) => {
      request.socket.once('close', () => {
        isClosed = true;
      });
      response.write('endless');
    };
    const response = await at.mesh.fetch('http://echo/');
    await response.body?.cancel();
    await until(() => isClosed);
  });

  it('full conversation: the answer begins before the request has ended', async () => {
    const { createServer } = await import('node:http');
    const server = createServer((request, response) => {
      response.flushHeaders();
      request.pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await using here = await world(service('pipe', { v1: port }));
    let say: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        say = controller;
      },
    });
    const call = here.mesh.fetch('http://pipe/', { method: 'POST', body, duplex: 'half' } as RequestInit);
    say?.enqueue(Buffer.from('a'));
    const response = await call;
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('a');
    say?.enqueue(Buffer.from('b'));
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('b');
    say?.close();
    expect((await reader?.read())?.done).toBe(true);
    server.close();
  });
});

describe('response.mesh', () => {
  it('tells target, route, cluster, endpoint, attempts, timings, flag, local', async () => {
    answer = (_request, response) => response.end('ok');
    const response = await at.mesh.fetch('http://echo/');
    await response.text();
    const endpoint = `127.0.0.1:${origin.port}`;
    expect(response.mesh).toMatchObject({
      target: 'echo:80',
      route: 'all',
      cluster: 'outbound|80||echo.default.svc.cluster.local',
      endpoint,
      attempts: [
        { endpoint, status: 200, startMs: expect.any(Number), endMs: expect.any(Number), reused: expect.any(Boolean) },
      ],
      flag: undefined,
      local: false,
    });
    const { startMs, headersMs, endMs } = response.mesh?.timings ?? { startMs: 0, headersMs: 0, endMs: 0 };
    expect(startMs <= headersMs && headersMs <= endMs).toBe(true);
    expect(JSON.parse(JSON.stringify(response.mesh))).toMatchObject({ target: 'echo:80', attempts: [{ status: 200 }] });
  });
});
