import { MeshError } from '@inmesh/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, until, type World, world } from './world.ts';

let origin: Origin;
let at: World;
let answer: NonNullable<Parameters<typeof startOrigin>[0]> = (_request, response) => response.end('ok');

beforeAll(async () => {
  origin = await startOrigin((request, response, body) => answer(request, response, body));
  at = await world(service('echo', { v1: origin.port }) + rules('echo', '- route: [{ destination: { host: echo } }]'));
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
});
afterEach(() => {
  answer = (_request, response) => response.end('ok');
});

const bytes = new TextEncoder().encode('bytes');

describe('abort rejects with the signal’s own reason at every stage', () => {
  const reason = { my: 'reason' };

  it('before the call', async () => {
    const signal = AbortSignal.abort(reason);
    await expect(at.mesh.fetch('http://echo/', { signal })).rejects.toBe(reason);
    await expect(at.mesh.fetch(new Request('http://echo/', { signal }))).rejects.toBe(reason);
  });

  it('right after it, before anything was sent', async () => {
    const abort = new AbortController();
    const call = at.mesh.fetch('http://echo/', { signal: abort.signal });
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('while the request body is sent', async () => {
    const abort = new AbortController();
    await at.mesh.ready({ hosts: ['echo'] });
    let isCancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(bytes),
      cancel() {
        isCancelled = true;
      },
    });
    const init = { method: 'POST', body, duplex: 'half', signal: abort.signal } as RequestInit;
    const call = at.mesh.fetch('http://echo/', init);
    setTimeout(() => abort.abort(reason), 20);
    await expect(call).rejects.toBe(reason);
    await until(() => isCancelled);
  });

  it('while the answer is awaited, and its connection is closed', async () => {
    let isClosed = false;
    answer = (request) => request.socket.once('close', () => (isClosed = true));
    const abort = new AbortController();
    const before = origin.received.length;
    const call = at.mesh.fetch('http://echo/', { signal: abort.signal });
    await until(() => origin.received.length > before);
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    await until(() => isClosed);
  });

  it('while the body is read: text(), the stream, and an iteration of it', async () => {
    answer = (_request, response) => void response.write('part');
    const read: ((response: Response) => Promise<unknown>)[] = [
      (response) => response.text(),
      async (response) => {
        const reader = response.body?.getReader();
        await reader?.read();
        return reader?.read();
      },
      async (response) => {
        for await (const _chunk of response.body ?? []);
      },
      (response) => response.clone().text(),
    ];
    for (const way of read) {
      const abort = new AbortController();
      const response = await at.mesh.fetch('http://echo/', { signal: abort.signal });
      const done = way(response);
      setTimeout(() => abort.abort(reason), 10);
      await expect(done).rejects.toBe(reason);
    }
  });

  it('during a redirect’s second request', async () => {
    const abort = new AbortController();
    answer = (request, response) => {
      if (request.url === '/second') abort.abort(reason);
      else response.writeHead(302, { location: '/second' }).end();
    };
    await expect(at.mesh.fetch('http://echo/', { signal: abort.signal })).rejects.toBe(reason);
  });

  it('after the body was read nothing happens', async () => {
    const abort = new AbortController();
    const response = await at.mesh.fetch('http://echo/', { signal: abort.signal });
    expect(await response.text()).toBe('ok');
    abort.abort(reason);
    expect(response.status).toBe(200);
  });

  it('AbortSignal.timeout is a TimeoutError', async () => {
    answer = () => {};
    const call = at.mesh.fetch('http://echo/', { signal: AbortSignal.timeout(20) });
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('a body that fails after its headers', () => {
  it('rejects with a TypeError whose cause is the MeshError', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('part');
      setTimeout(() => response.destroy(), 10);
    };
    const response = await at.mesh.fetch('http://echo/');
    const error = await response.text().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).message).toBe('terminated');
    const { cause } = error as { cause: MeshError };
    expect(cause).toBeInstanceOf(MeshError);
    expect(cause.message).toMatch(/echo|127\.0\.0\.1/);
    expect(cause.mesh).toMatchObject({
      flag: expect.stringMatching(/^UP?[CE]$/),
      local: false,
      cluster: expect.stringContaining('echo'),
    });
  });
});
