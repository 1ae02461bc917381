import http from 'node:http';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serve, serveHttp, until } from '../connection/origin.fixture.ts';
import { forward, NO_MUTATION, path, request, route, setHeader } from '../route/route.fixture.ts';
import { Answer, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import { replyLocally, startCall } from './call.ts';
import { blocked } from './local-reply.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const echo = () =>
  serveHttp((request, reply) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      reply.setHeader('set-cookie', ['a=1', 'b=2']);
      reply.end(JSON.stringify({ method: request.method, url: request.url, headers: request.rawHeaders, body }));
    });
  });

describe('a call that is forwarded', () => {
  it('brings the answer of the picked endpoint, and tells its story', async () => {
    const { port } = await echo();
    const target = await stage.target([route('r1')], { a: cluster('a', [port]) });
    const answer = await ask(stage, target, { path: '/x?y=1', headers: ['x-one', '1', 'x-one', '2'] }).ended;
    expect(answer).toMatchObject({ status: 200, statusText: 'OK', error: undefined, trailers: [] });
    expect(JSON.parse(answer.text)).toEqual({
      method: 'GET',
      url: '/x?y=1',
      headers: ['host', 'reviews:9080', 'connection', 'keep-alive', 'x-one', '1', 'x-one', '2'],
      body: '',
    });
    expect(answer.headers.filter((_, i) => answer.headers[i - (i % 2)] === 'set-cookie')).toEqual([
      'set-cookie',
      'a=1',
      'set-cookie',
      'b=2',
    ]);
    const story = answer.call?.story;
    expect(story).toMatchObject({
      target: 'reviews:9080',
      route: 'r1',
      cluster: 'a',
      endpoint: `127.0.0.1:${port}`,
      flag: undefined,
      local: false,
      attempts: [{ endpoint: `127.0.0.1:${port}`, status: 200, reused: false, startMs: 0 }],
    });
    expect(story?.timings.endMs).toBeGreaterThanOrEqual(story?.timings.headersMs ?? Number.POSITIVE_INFINITY);
    expect(stage.events).toEqual([{ kind: 'call', request: expect.anything(), status: 200, story }]);
  });

  it('makes no event while nobody listens', async () => {
    stage = createStage({ isObserved: () => false });
    const target = await stage.target([route('r')], { a: cluster('a', [(await echo()).port]) });
    await ask(stage, target).ended;
    expect(stage.events).toEqual([]);
  });

  it('uses its connections again, and says so in the story', async () => {
    const origin = await echo();
    const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
    for (let i = 0; i < 3; i++) {
      const { call } = await ask(stage, target).ended;
      expect(call?.story.attempts[0]?.reused).toBe(i > 0);
    }
    expect(origin.connections).toBe(1);
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });

  it('starts the next call on the same connection from within onEnd', async () => {
    const origin = await echo();
    const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
    const first = ask(stage, target);
    let second: Answer | undefined;
    first.onEnd = () => {
      second = ask(stage, target);
    };
    await until(() => second !== undefined);
    expect((await second?.ended)?.status).toBe(200);
    expect(origin.connections).toBe(1);
  });

  it('changes headers, host and path as the route says, in Envoy’s order', async () => {
    const { port } = await echo();
    const target = await stage.target(
      [
        route(
          'r',
          { path: path('prefix', '/old') },
          forward({ a: 1 }, { hostRewrite: 'new.host', appendXForwardedHost: true, pathRewrite: { prefix: '/new' } }),
          {
            requestHeaders: { set: [setHeader('x-path', '%REQ(:PATH)%')], remove: ['cookie'] },
            responseHeaders: { set: [setHeader('x-r', '1')], remove: ['set-cookie'] },
          },
        ),
      ],
      { a: cluster('a', [port]) },
    );
    const answer = await ask(stage, target, { path: '/old/x', headers: ['cookie', 'c=1'] }).ended;
    const sent = JSON.parse(answer.text);
    expect(sent.url).toBe('/new/x');
    expect(sent.headers).toEqual([
      'host',
      'new.host',
      'connection',
      'keep-alive',
      'x-path',
      '/old/x',
      'x-forwarded-host',
      'reviews:9080',
    ]);
    expect(answer.header('x-r')).toBe('1');
    expect(answer.header('set-cookie')).toBeUndefined();
  });

  it('splits by weight with the draw, and applies the mutations of the cluster chosen', async () => {
    const [one, two] = [await echo(), await echo()];
    const split = {
      ...forward(),
      clusters: [
        { name: 'a', weight: 90, requestHeaders: NO_MUTATION, responseHeaders: NO_MUTATION },
        {
          name: 'b',
          weight: 10,
          requestHeaders: NO_MUTATION,
          responseHeaders: { set: [setHeader('x-b', '1')], remove: [] },
        },
      ],
    };
    stage = createStage({ random: () => 95 });
    const target = await stage.target([route('r', {}, split)], {
      a: cluster('a', [one.port]),
      b: cluster('b', [two.port]),
    });
    const answer = await ask(stage, target).ended;
    expect(answer.call?.story.cluster).toBe('b');
    expect(answer.header('x-b')).toBe('1');
  });

  it('takes the cluster from a header (Envoy RouteAction.cluster_header)', async () => {
    const target = await stage.target([route('r', {}, { ...forward({}), clusterHeader: 'x-cluster' })], {
      a: cluster('a', [(await echo()).port]),
    });
    expect((await ask(stage, target, { headers: ['x-cluster', 'a'] }).ended).status).toBe(200);
    expect((await ask(stage, target, { headers: ['x-cluster', 'b'] }).ended).status).toBe(503);
    expect((await ask(stage, target).ended).status).toBe(503);
  });

  it('goes where the caller dialled for ORIGINAL_DST clusters', async () => {
    const { port } = await echo();
    const target = await stage.target([route('r')], { a: cluster('a', [], { discovery: { kind: 'original-dst' } }) });
    const answer = await ask(stage, target, { options: { originalDestination: { host: '127.0.0.1', port } } }).ended;
    expect(answer.status).toBe(200);
  });

  it('sends equal hashes to one endpoint, and gives the cookie it made to the caller', async () => {
    const ports = await Promise.all([echo(), echo(), echo()]);
    const action = forward(
      { a: 1 },
      { hashPolicies: [{ kind: 'cookie', name: 'user', path: '/', ttlMs: 0, terminal: false }] },
    );
    const target = await stage.target([route('r', {}, action)], {
      a: cluster(
        'a',
        ports.map(({ port }) => port),
        { loadBalancer: { kind: 'maglev', tableSize: 65_537, useHostname: false } },
      ),
    });
    const first = await ask(stage, target).ended;
    const made = first.headers.find((text) => text.startsWith('user=')) ?? '';
    expect(made).toMatch(/^user="?[0-9a-f]{16}"?;/);
    const cookie = made.slice(0, made.indexOf(';'));
    for (let i = 0; i < 5; i++) {
      const next = await ask(stage, target, { headers: ['cookie', cookie] }).ended;
      expect(next.call?.story.endpoint).toBe(first.call?.story.endpoint);
      expect(next.headers.some((text) => text.startsWith('user='))).toBe(false);
    }
  });

  it('tells informational responses apart from the answer', async () => {
    const { port } = await serveHttp((_, reply) => {
      reply.writeEarlyHints({ link: '</a.css>; rel=preload' });
      reply.end('x');
    });
    const target = await stage.target([route('r')], { a: cluster('a', [port]) });
    const answer = await ask(stage, target).ended;
    expect(answer).toMatchObject({ status: 200, informational: [103], text: 'x' });
  });

  it('tells trailers', async () => {
    const { port } = await serveHttp((_, reply) => {
      reply.writeHead(200, { trailer: 'x-sum' });
      reply.write('x');
      reply.addTrailers({ 'x-sum': '7' });
      reply.end();
    });
    const target = await stage.target([route('r')], { a: cluster('a', [port]) });
    expect((await ask(stage, target).ended).trailers).toEqual(['x-sum', '7']);
  });

  it('pauses the response when the handler asks for it, until resume', async () => {
    const size = 4 * 1024 * 1024;
    const { port } = await serveHttp((_, reply) => reply.end('x'.repeat(size)));
    const target = await stage.target([route('r')], { a: cluster('a', [port]) });
    const answer = ask(stage, target);
    answer.isFlowing = false;
    await until(() => answer.chunks === 1);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(answer.chunks).toBe(1);
    answer.isFlowing = true;
    answer.call?.resume();
    expect((await answer.ended).text.length).toBe(size);
  });
});

describe('request bodies', () => {
  async function send(asked: Parameters<typeof ask>[2]) {
    const target = await stage.target([route('r')], { a: cluster('a', [(await echo()).port]) });
    const answer = await ask(stage, target, { method: 'POST', ...asked }).ended;
    expect(answer.error).toBeUndefined();
    const { headers, body } = JSON.parse(answer.text) as { headers: string[]; body: string };
    return { body, length: headers[headers.indexOf('content-length') + 1], isChunked: headers.includes('chunked') };
  }
  async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield new TextEncoder().encode(text);
  }

  it('sends bytes with their length, whatever the caller wrote', async () => {
    const bytes = new TextEncoder().encode('hello');
    expect(await send({ body: { kind: 'bytes', bytes } })).toMatchObject({ body: 'hello', length: '5' });
    expect(await send({ body: { kind: 'bytes', bytes }, headers: ['content-length', '7'] })).toMatchObject({
      length: '5',
    });
  });

  it('sends a stream chunked, or with its length where it is known', async () => {
    expect(await send({ body: { kind: 'stream', stream: pieces('he', 'llo') } })).toMatchObject({
      body: 'hello',
      isChunked: true,
    });
    expect(await send({ body: { kind: 'stream', stream: pieces('he', 'llo'), length: 5 } })).toEqual({
      body: 'hello',
      length: '5',
      isChunked: false,
    });
  });

  it('says that an empty POST is empty', async () => {
    expect(await send({ body: { kind: 'none' } })).toMatchObject({ body: '', length: '0' });
  });

  it('ends the call with the very error of the request stream', async () => {
    const failure = new Error('disk');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('x');
      throw failure;
    }
    const target = await stage.target([route('r')], { a: cluster('a', [(await echo()).port]) });
    const answer = await ask(stage, target, { method: 'POST', body: { kind: 'stream', stream: broken() } }).ended;
    expect(answer.error).toBe(failure);
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });

  it('keeps no connection whose request was still being sent when its answer ended', async () => {
    const origin = await serveHttp((_, reply) => reply.writeHead(413).end('too large'));
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('x');
      await new Promise(() => {});
    }
    const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
    const answer = await ask(stage, target, { method: 'POST', body: { kind: 'stream', stream: endless() } }).ended;
    expect(answer).toMatchObject({ status: 413, text: 'too large' });
    await until(() => stage.connections.stats().open === 0);
  });

  it('frees a stream of which nothing was sent', async () => {
    let isFreed = false;
    const stream = new ReadableStream<Uint8Array>({
      cancel() {
        isFreed = true;
      },
    });
    const target = await stage.target([route('r')], {});
    expect((await ask(stage, target, { method: 'POST', body: { kind: 'stream', stream } }).ended).status).toBe(503);
    await until(() => isFreed);
  });

  it.each(['HEAD', 'GET with a body'])(
    'closes the connection after %s, as undici does, and no call is in its way',
    async (what) => {
      const origin = await echo();
      const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
      const asked =
        what === 'HEAD' ? { method: 'HEAD' } : { body: { kind: 'bytes', bytes: new Uint8Array([65]) } as const };
      const first = ask(stage, target, asked);
      let second: Answer | undefined;
      first.onEnd = () => {
        second = ask(stage, target);
      };
      await until(() => second !== undefined);
      await second?.ended;
      expect(second?.status).toBe(200);
      expect(second?.call?.story.attempts).toMatchObject([{ reused: false }]);
    },
  );

  it('reports a request that cannot be sent, after startCall has returned, and keeps the connection', async () => {
    const origin = await echo();
    const target = await stage.target([route('r')], { a: cluster('a', [origin.port]) });
    await ask(stage, target).ended;
    const answer = ask(stage, target, { headers: ['x', 'a\r\nb'] });
    expect(answer.error).toBeUndefined();
    expect((await answer.ended).error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' });
    await ask(stage, target).ended;
    expect(origin.connections).toBe(1);
  });
});

describe('upgrades', () => {
  it('hands the socket over, and holds the pick until it closes', async () => {
    const server = http.createServer();
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-r: 1\r\n\r\n');
      socket.on('data', (chunk: Uint8Array) => socket.end(chunk));
    });
    const { port } = await serve(server);
    const target = await stage.target([route('r')], { a: cluster('a', [port]) });
    const answer = new Answer();
    const upgraded = new Promise<Duplex>((resolve) => {
      Object.assign(answer, {
        onUpgrade: (_: number, __: string[], socket: Duplex) => resolve(socket),
      });
    });
    startCall(stage.runtime, target, request(), { kind: 'none' }, answer, {
      localReply: 'resolve',
      originalDestination: { host: 'reviews', port: 9080 },
      upgrade: 'websocket',
    });
    const socket = await upgraded;
    expect(activeRequests(target.upstreams.values())).toBe(1);
    const echoed = new Promise((resolve) => socket.once('data', (chunk: Uint8Array) => resolve(String(chunk))));
    socket.write('ping');
    expect(await echoed).toBe('ping');
    await until(() => activeRequests(target.upstreams.values()) === 0);
    expect(stage.connections.stats().idle).toBe(0);
  });
});

describe('a call without a target', () => {
  it('is answered by the mesh in the same way', async () => {
    const answer = new Answer();
    const call = replyLocally(stage.runtime, 'example.com:80', blocked('not in the registry'), {
      request: request(),
      handler: answer,
      options: { localReply: 'resolve', originalDestination: { host: 'example.com', port: 80 } },
    });
    expect(answer.status).toBe(0);
    await answer.ended;
    expect(answer).toMatchObject({ status: 502, text: '', error: undefined });
    expect(call.story).toMatchObject({ target: 'example.com:80', local: true, flag: undefined });
  });
});
