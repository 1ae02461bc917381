import { createHash } from 'node:crypto';
import { createMesh } from '@inmesh/sdk';
import { Agent, EventSource, fetch as npmFetch, request as npmRequest, stream as npmStream, WebSocket } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, type World, world } from './world.ts';

let origin: Origin;
let outside: Origin;
let at: World;
let answer: NonNullable<Parameters<typeof startOrigin>[0]>;

beforeAll(async () => {
  origin = await startOrigin((request, response, body) => answer(request, response, body));
  outside = await startOrigin((_request, response) => response.end('outside'));
  const http = `- match: [{ uri: { prefix: /tea } }]
  directResponse: { status: 418, body: { string: tea } }
- match: [{ uri: { prefix: /only } }]
  name: all
  route: [{ destination: { host: echo, subset: v1 } }]`;
  at = await world(service('echo', { v1: origin.port }) + rules('echo', http));
  acceptWebSockets(origin);
});
beforeEach(() => {
  answer = (request, response, body) => response.end(`${request.method} ${request.url} ${body}`);
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
  await outside.close();
});

/** Echoes text frames of up to 125 bytes (RFC 6455). */
function acceptWebSockets({ server }: Origin): void {
  server.on('upgrade', (request, socket) => {
    const key = request.headers['sec-websocket-key'];
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    socket.on('error', () => {});
    socket.on('data', (frame: Buffer) => {
      const length = (frame[1] ?? 0) & 0x7f;
      const mask = frame.subarray(2, 6);
      const text = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      if (((frame[0] ?? 0) & 0x0f) === 8) socket.end(Buffer.from([0x88, 0]));
      else socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    });
  });
}

describe('mesh.request', () => {
  it('is undici.request through the mesh', async () => {
    const answered = await at.mesh.request('http://echo/only/x?q=1', { method: 'POST', body: 'body' });
    expect([answered.statusCode, await answered.body.text()]).toEqual([200, 'POST /only/x?q=1 body']);
    expect(answered.headers['content-length']).toBe('21');
  });

  it.each(['http://echo/only', 'http://echo/tea', 'http://echo/none'])(
    '%s is answered as by meshFetch',
    async (url) => {
      const [one, two] = [await at.mesh.request(url), await at.mesh.fetch(url)];
      expect([one.statusCode, await one.body.text()]).toEqual([two.status, await two.text()]);
    },
  );

  it('rejects with the mesh’s error under localReply: throw, and with the abort’s reason', async () => {
    const options = { mesh: { localReply: 'throw' } } as const;
    await expect(at.mesh.request('http://echo/none', options)).rejects.toMatchObject({ code: 'MESH_NO_ROUTE' });
    answer = () => {};
    const abort = new AbortController();
    const call = at.mesh.request('http://echo/only', { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('mine')), 10);
    await expect(call).rejects.toThrow('mine');
  });

  it('query, dump and hosts outside the mesh', async () => {
    const answered = await at.mesh.request('http://echo/only', { query: { a: '1 2' } });
    expect(await answered.body.text()).toBe('GET /only?a=1+2 ');
    const elsewhere = await at.mesh.request(`http://127.0.0.1:${outside.port}/`);
    expect(await elsewhere.body.text()).toBe('outside');
    await (await at.mesh.request('http://echo/only')).body.dump();
  });
});

describe('mesh.dispatcher', () => {
  it('under fetch, request and stream of npm undici', async () => {
    const { dispatcher } = at.mesh;
    const fetched = await npmFetch('http://echo/only', { dispatcher, method: 'POST', body: 'b' });
    expect(await fetched.text()).toBe('POST /only b');
    const requested = await npmRequest('http://echo/only', { dispatcher });
    expect(await requested.body.text()).toBe('GET /only ');
    const chunks: Buffer[] = [];
    const { Writable } = await import('node:stream');
    const sink = () =>
      new Writable({
        write(chunk, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      });
    await npmStream('http://echo/only', { dispatcher, method: 'GET' }, sink);
    expect(Buffer.concat(chunks).toString()).toBe('GET /only ');
  });

  it('under the platform’s fetch', async () => {
    const init = { dispatcher: at.mesh.dispatcher } as unknown as RequestInit;
    expect(await (await fetch('http://echo/only', init)).text()).toBe('GET /only ');
    expect((await fetch('http://echo/tea', init)).status).toBe(418);
    expect(await (await fetch(`http://127.0.0.1:${outside.port}/`, init)).text()).toBe('outside');
  });

  it('under undici’s WebSocket', async () => {
    const socket = new WebSocket('ws://echo/only', { dispatcher: at.mesh.dispatcher });
    const said = await new Promise<string>((resolve, reject) => {
      socket.addEventListener('error', (event) => reject(event.error));
      socket.addEventListener('open', () => socket.send('hello'));
      socket.addEventListener('message', ({ data }) => resolve(String(data)));
    });
    expect(said).toBe('hello');
    const closed = new Promise((resolve) => socket.addEventListener('close', resolve));
    socket.close();
    await closed;
  });

  it('a WebSocket the mesh refuses fails as one refused by a server', async () => {
    const socket = new WebSocket('ws://echo/none', { dispatcher: at.mesh.dispatcher });
    const event = await new Promise<Event>((resolve) => socket.addEventListener('error', resolve));
    expect(event.type).toBe('error');
  });

  it('under undici’s EventSource', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      setTimeout(() => response.write('data: two\n\n'), 5);
    };
    const events = new EventSource('http://echo/only', { node: { dispatcher: at.mesh.dispatcher } } as never);
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      events.addEventListener('message', ({ data }) => {
        seen.push(data);
        if (seen.length === 2) resolve();
      });
    });
    events.close();
    expect(seen).toEqual(['one', 'two']);
  });
});

describe('what a handler throws', () => {
  const failure = new Error('of the handler');
  const places = ['onRequestStart', 'onResponseStart', 'onResponseData', 'onResponseEnd'];

  it.each(places)('in %s reaches its onResponseError as with undici', async (place) => {
    const told = (dispatcher: { dispatch: Agent['dispatch'] }, origin: string) =>
      new Promise((resolve) => {
        const fail = () => {
          throw failure;
        };
        const handler = {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd() {},
          onResponseError: (_controller: unknown, error: unknown) => resolve(error),
          [place]: fail,
        };
        dispatcher.dispatch({ origin, path: '/only', method: 'GET' }, handler as never);
      });
    const agent = new Agent();
    expect(await told(agent, `http://127.0.0.1:${origin.port}`)).toBe(failure);
    expect(await told(at.mesh.dispatcher as Agent, 'http://echo')).toBe(failure);
    await agent.close();
  });
});

describe('mesh.interceptor()', () => {
  it('composed on an Agent: hosts of the mesh through the mesh, others through the Agent', async () => {
    const dispatcher = new Agent().compose(at.mesh.interceptor());
    const one = await npmRequest('http://echo/only', { dispatcher });
    expect(await one.body.text()).toBe('GET /only ');
    const two = await npmRequest(`http://127.0.0.1:${outside.port}/`, { dispatcher });
    expect(await two.body.text()).toBe('outside');
    await dispatcher.close();
  });

  it('composes with other interceptors, around it and inside', async () => {
    const { interceptors } = await import('undici');
    const seen: string[] = [];
    const spy =
      (name: string) => (dispatch: (options: never, handler: never) => boolean) => (options: never, handler: never) => {
        seen.push(name);
        return dispatch(options, handler);
      };
    const dispatcher = new Agent().compose(
      spy('inside') as never,
      at.mesh.interceptor(),
      interceptors.redirect({ maxRedirections: 3 }),
      spy('around') as never,
    );
    answer = (request, response) => {
      if (request.url === '/only/end') response.end('end');
      else response.writeHead(302, { location: '/only/end' }).end();
    };
    const one = await npmRequest('http://echo/only', { dispatcher });
    expect(await one.body.text()).toBe('end');
    expect(seen).toEqual(['around']);
    await dispatcher.close();
  });
});

describe('mesh.install()', () => {
  it('takes fetch and both global dispatchers, and gives all of it back', async () => {
    const before = globalThis.fetch;
    {
      using _installed = at.mesh.install();
      expect(await (await fetch('http://echo/only')).text()).toBe('GET /only ');
      const asGlobal = await npmRequest('http://echo/only');
      expect(await asGlobal.body.text()).toBe('GET /only ');
      expect(await (await npmFetch('http://echo/only')).text()).toBe('GET /only ');
      expect(await (await before('http://echo/only')).text()).toBe('GET /only ');
      expect(await (await fetch(`http://127.0.0.1:${outside.port}/`)).text()).toBe('outside');
      await using second = createMesh({}, { env: {} });
      expect(() => second.install()).toThrow(/MESH_CONFIG_INVALID/);
    }
    expect(globalThis.fetch).toBe(before);
    await expect(fetch('http://echo/only')).rejects.toThrow('fetch failed');
    await expect(npmRequest('http://echo/only')).rejects.toThrow();
    const again = at.mesh.install();
    again[Symbol.dispose]();
    again[Symbol.dispose]();
    expect(globalThis.fetch).toBe(before);
  });

  it('a closed mesh is installed no more', async () => {
    const before = globalThis.fetch;
    const mesh = at.test.mesh({ workload: 'short' });
    mesh.install();
    await mesh.close();
    expect(globalThis.fetch).toBe(before);
  });
});
