import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Agent, EventSource, RetryAgent, fetch as undiciFetch, request as undiciRequest, WebSocket } from 'undici';
import { describe, expect, it } from 'vitest';
import { CLUSTER, readAll, startOrigin, startTestMesh } from '../../../../test/harness/test-mesh.ts';
import type { LegacyHandler } from './handlers.ts';

describe('mesh.dispatcher', () => {
  it.each<[string, typeof fetch]>([
    ['the platform', fetch],
    ['undici', undiciFetch as unknown as typeof fetch],
  ])('serves fetch of %s, whichever generation of handler it brings', async (_whose, run) => {
    await using test = await startTestMesh(async (request, response) =>
      response.end(`${request.method} ${await readAll(request)}`),
    );
    const outside = await startOrigin((_request, response) => response.end('outside'));
    const init = { dispatcher: test.mesh.dispatcher, method: 'POST', body: 'x' } as object as RequestInit;
    expect(await (await run(test.url, init)).text()).toBe('POST x');
    expect(
      await (
        await run(`http://localhost:${outside.port}/`, { dispatcher: test.mesh.dispatcher } as object as RequestInit)
      ).text(),
    ).toBe('outside');
    await outside.close();
  });

  it('serves undici.request and its own request and stream', async () => {
    await using test = await startTestMesh((_request, response) => response.end('{"a":1}'));
    const { dispatcher } = test.mesh;
    const one = await undiciRequest(test.url, { dispatcher });
    expect([one.statusCode, await one.body.json()]).toEqual([200, { a: 1 }]);
    const two = await dispatcher.request({ origin: test.url, path: '/', method: 'GET' });
    expect(await two.body.text()).toBe('{"a":1}');
  });

  it('calls handlers of the older generation with raw headers', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.setHeader('x-a', '1');
      response.end('body');
    });
    const told: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      const handler: LegacyHandler = {
        onConnect: () => void told.push('connect'),
        onHeaders(status, headers) {
          told.push(
            status,
            headers.every((header) => Buffer.isBuffer(header)),
          );
          return true;
        },
        onData: (chunk) => told.push(Buffer.from(chunk).toString()) > 0,
        onComplete: () => resolve(),
        onError: reject,
      };
      test.mesh.dispatcher.dispatch({ origin: test.url, path: '/', method: 'GET' }, handler as never);
    });
    expect(told).toEqual(['connect', 200, true, 'body']);
  });

  it('gives a local reply to the handler as an ordinary response', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await test.origin.close();
    const { statusCode, body } = await undiciRequest(test.url, { dispatcher: test.mesh.dispatcher });
    expect([statusCode, await body.text()]).toEqual([503, expect.stringContaining('upstream connect error')]);
  });

  it('decides on the path a URL would have, and sends that', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    for (const path of [
      '/a/../admin',
      '/a/%2e%2e/admin',
      '/a\\..\\admin',
      '/x y'.replace(' ', '%20'),
      '//b',
      '/.well-known/x',
    ]) {
      await test.mesh.dispatcher.request({ origin: test.url, path, method: 'GET' });
    }
    expect(test.origin.requests.map(({ url }) => url)).toEqual([
      '/admin',
      '/admin',
      '/admin',
      '/x%20y',
      '//b',
      '/.well-known/x',
    ]);
  });

  it('takes what undici takes as headers, query and body', async () => {
    await using test = await startTestMesh(async (request, response) =>
      response.end(`${request.url} ${request.headers['x-a']} ${await readAll(request)}`),
    );
    const send = async (options: object) =>
      (await test.mesh.dispatcher.request({ origin: test.url, path: '/', method: 'POST', ...options })).body.text();
    expect(await send({ headers: ['X-A', '1', 'X-A', '2'], body: 'b' })).toBe('/ 1, 2 b');
    expect(await send({ headers: { 'X-A': ['1', '2'] }, body: Buffer.from('b') })).toBe('/ 1, 2 b');
    expect(await send({ headers: new Map([['X-A', '1']]), query: { q: ['1', '2'] } })).toBe('/?q=1&q=2 1 ');
    expect(await send({ headers: { 'x-a': '1' }, body: [Buffer.from('a'), Buffer.from('b')] })).toBe('/ 1 ab');
  });

  it.each<[string, object]>([
    ['no origin', { origin: undefined }],
    ['a path without a slash', { path: 'x' }],
    ['a path with a space', { path: '/x y' }],
    ['odd headers', { headers: ['a'] }],
    ['an object as a header', { headers: { a: {} } }],
    ['transfer-encoding', { headers: { 'transfer-encoding': 'chunked' } }],
    ['a wrong content-length', { method: 'POST', headers: { 'content-length': '5' }, body: 'abc' }],
  ])("refuses %s with undici's error", async (_what, options) => {
    await using test = await startTestMesh((_request, response) => response.end());
    const call = test.mesh.dispatcher.request({ origin: test.url, path: '/', method: 'GET', ...options });
    await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/^UND_ERR_/) });
  });

  it('pauses the sender while its reader is slow', async () => {
    await using test = await startTestMesh((_request, response) => response.end(Buffer.alloc(3_000_000)));
    const { body } = await undiciRequest(test.url, { dispatcher: test.mesh.dispatcher });
    let size = 0;
    for await (const chunk of body) size += (chunk as Buffer).byteLength;
    expect(size).toBe(3_000_000);
  });

  it('passes what the answer ends with: trailers', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(200, { trailer: 'x-end' });
      response.write('a');
      response.addTrailers({ 'x-end': 'yes' });
      response.end();
    });
    const { body, trailers } = await undiciRequest(test.url, { dispatcher: test.mesh.dispatcher });
    await body.text();
    expect(trailers).toEqual({ 'x-end': 'yes' });
  });

  it.each([
    ['headersTimeout', false, 'UND_ERR_HEADERS_TIMEOUT'],
    ['bodyTimeout', true, 'UND_ERR_BODY_TIMEOUT'],
  ])('keeps the %s of who asks for one', async (name, sendHead, code) => {
    await using test = await startTestMesh((_request, response) => {
      if (sendHead) response.write('a');
    });
    const call = async () =>
      (await undiciRequest(test.url, { dispatcher: test.mesh.dispatcher, [name]: 30 })).body.text();
    await expect(call()).rejects.toMatchObject({ code });
  });

  it('has the methods of a Dispatcher: pipeline, stream, close', async () => {
    const test = await startTestMesh(async (request, response) => response.end((await readAll(request)).toUpperCase()));
    const { dispatcher } = test.mesh;
    const options = { origin: test.url, path: '/', method: 'POST' } as const;
    const upper = dispatcher.pipeline(options, ({ body }) => body);
    upper.end('abc');
    expect(await text(upper)).toBe('ABC');
    const sink = new PassThrough();
    await dispatcher.stream({ ...options, body: 'def' }, () => sink);
    expect(await text(sink)).toBe('DEF');
    expect(dispatcher).toMatchObject({ closed: false, destroyed: false });
    await dispatcher.close();
    expect(dispatcher).toMatchObject({ closed: true });
    await test[Symbol.asyncDispose]();
  });

  it('opens a WebSocket of undici through the mesh', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    test.origin.server.on('upgrade', (request, socket: Socket) => {
      const accept = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
      );
      socket.write(Buffer.concat([Buffer.from([0x81, 2]), Buffer.from('hi')]));
      socket.on('error', () => {}).on('data', () => socket.destroy());
    });
    const socket = new WebSocket('ws://reviews:9080/chat', { dispatcher: test.mesh.dispatcher });
    const message = await new Promise((resolve, reject) => {
      socket.addEventListener('message', ({ data }) => resolve(data));
      socket.addEventListener('error', (event) => reject(event.error));
    });
    expect(message).toBe('hi');
    socket.close();
  });

  it('feeds an EventSource of undici', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: hello\n\n');
    });
    const source = new EventSource(test.url, { node: { dispatcher: test.mesh.dispatcher } });
    expect(await new Promise((resolve) => source.addEventListener('message', ({ data }) => resolve(data)))).toBe(
      'hello',
    );
    source.close();
  });
});

describe('mesh.interceptor', () => {
  it('takes hosts of the mesh and leaves all others to the dispatcher composed', async () => {
    await using test = await startTestMesh((_request, response) => response.end('mesh'));
    const outside = await startOrigin((_request, response) => response.end('outside'));
    const agent = new Agent();
    const dispatcher = new RetryAgent(agent).compose(test.mesh.interceptor());
    const get = async (url: string) => (await undiciRequest(url, { dispatcher })).body.text();
    expect([await get(test.url), await get(`http://localhost:${outside.port}`)]).toEqual(['mesh', 'outside']);
    await agent.close();
    await outside.close();
  });

  it("composes under the mesh's own dispatcher as well", async () => {
    await using test = await startTestMesh((request, response) => response.end(request.headers['x-added']));
    const add = (next: (options: object, handler: object) => boolean) => (options: object, handler: object) =>
      next({ ...options, headers: { 'x-added': 'yes' } }, handler);
    const dispatcher = test.mesh.dispatcher.compose(add as never);
    expect(await (await undiciRequest(test.url, { dispatcher })).body.text()).toBe('yes');
  });
});

describe('mesh.request', () => {
  it('is undici.request through the mesh', async () => {
    await using test = await startTestMesh((request, response) => {
      response.setHeader('x-method', request.method ?? '');
      response.end('{"a":1}');
    });
    const { statusCode, headers, body } = await test.mesh.request(`${test.url}/x`, { method: 'POST', body: 'y' });
    expect([statusCode, headers['x-method'], await body.json()]).toEqual([200, 'POST', { a: 1 }]);
  });

  it('takes a policy of the call', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await test.origin.close();
    await expect(test.mesh.request(test.url, { mesh: { localReply: 'throw' } })).rejects.toMatchObject({
      code: 'MESH_CONNECT_FAILED',
    });
  });

  it("ends with its signal's reason while it waits for configuration", async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    test.ads.silent = true;
    const abort = new AbortController();
    const call = test.mesh.request(test.url, { signal: abort.signal });
    const reason = new Error('mine');
    setImmediate(() => abort.abort(reason));
    await expect(call).rejects.toBe(reason);
  });
});

describe('install', () => {
  it('takes the place of fetch and of both global dispatchers, and gives it back', async () => {
    await using test = await startTestMesh((_request, response) => response.end('mesh'));
    const outside = await startOrigin((_request, response) => response.end('outside'));
    const captured = globalThis.fetch;
    {
      using _installed = test.mesh.install();
      expect(globalThis.fetch).not.toBe(captured);
      const get = async (run: typeof fetch, url: string) => (await run(url)).text();
      for (const run of [fetch, captured, undiciFetch as unknown as typeof fetch]) {
        expect([await get(run, test.url), await get(run, `http://localhost:${outside.port}/`)]).toEqual([
          'mesh',
          'outside',
        ]);
      }
      expect(await (await undiciRequest(test.url)).body.text()).toBe('mesh');
    }
    expect(globalThis.fetch).toBe(captured);
    await expect(fetch(test.url)).rejects.toThrow('fetch failed');
    await outside.close();
  });

  it('refuses a second mesh, and is one installation for the same one', async () => {
    await using one = await startTestMesh((_request, response) => response.end());
    await using two = await startTestMesh((_request, response) => response.end());
    const installed = one.mesh.install();
    expect(one.mesh.install()).toBe(installed);
    expect(() => two.mesh.install()).toThrow(expect.objectContaining({ code: 'MESH_CONFIG_INVALID' }));
    installed[Symbol.dispose]();
    two.mesh.install()[Symbol.dispose]();
  });

  it('ends with the mesh', async () => {
    const before = globalThis.fetch;
    {
      await using test = await startTestMesh((_request, response) => response.end());
      test.mesh.install();
    }
    expect(globalThis.fetch).toBe(before);
  });
});

describe('the story', () => {
  it('names the cluster whichever door the call came through', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const clusters: string[] = [];
    test.mesh.on((event) => event.kind === 'call' && clusters.push(event.story.cluster));
    await (await test.mesh.request(test.url)).body.dump();
    await (await fetch(test.url, { dispatcher: test.mesh.dispatcher } as object as RequestInit)).text();
    expect(clusters).toEqual([CLUSTER, CLUSTER]);
  });
});
