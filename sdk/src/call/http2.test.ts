import { once } from 'node:events';
import http2, { type ServerHttp2Stream } from 'node:http2';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TEST_CERTIFICATE, TEST_KEY, TEST_ROOT } from '../connection/certificates.fixture.ts';
import { closeOrigins, type Origin, serve, serveHttp, serveRaw, until } from '../connection/origin.fixture.ts';
import { MeshError } from '../errors.ts';
import type { Cluster } from '../model/cluster.ts';
import { forward, route } from '../route/route.fixture.ts';
import { Answer, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import { startCall } from './call.ts';
import type { LiveTarget } from './live-target.ts';

/** HTTP/2 upstreams; statuses, flags and bodies are those of Envoy 1.40 with the same upstreams. */
let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

type OnStream = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

function serveHttp2(onStream: OnStream, settings: http2.Settings = {}): Promise<Origin> {
  const server = http2.createServer({ settings });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  return serve(server);
}

const to = (port: number, more: Partial<Cluster> = {}, retry = false): Promise<LiveTarget> =>
  stage.target(
    [
      route(
        'r',
        {},
        retry
          ? forward(
              { a: 1 },
              {
                retry: {
                  on: ['refused-stream'],
                  numRetries: 1,
                  retriableStatusCodes: [],
                  baseIntervalMs: 1,
                  maxIntervalMs: 1,
                  previousHosts: false,
                  hostSelectionAttempts: 1,
                },
              },
            )
          : undefined,
      ),
    ],
    { a: cluster('a', [port], { http2: true, ...more }) },
  );

const RESET = 'upstream connect error or disconnect/reset before headers. reset reason: ';

async function collect(stream: Duplex): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

describe('a request on HTTP/2', () => {
  it('is sent with pseudo-headers and without those of a connection; the answer is flat, repeated headers stay repeated', async () => {
    let seen: http2.IncomingHttpHeaders = {};
    const { port } = await serveHttp2((stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 201, 'set-cookie': ['a=1', 'b=2'], 'x-r': 'one' });
      stream.end('hello');
    });
    const target = await to(port);
    const answer = await ask(stage, target, {
      method: 'GET',
      path: '/p?q=1',
      authority: 'reviews:9080',
      headers: ['x-a', '1', 'connection', 'keep-alive', 'te', 'gzip', 'keep-alive', '5', 'cookie', 'k=v'],
    }).ended;
    expect(answer.error).toBeUndefined();
    expect(answer).toMatchObject({ status: 201, text: 'hello', trailers: [] });
    expect(seen).toMatchObject({
      ':method': 'GET',
      ':path': '/p?q=1',
      ':scheme': 'http',
      ':authority': 'reviews:9080',
      'x-a': '1',
      cookie: 'k=v',
    });
    for (const name of ['host', 'connection', 'te', 'keep-alive']) expect(seen[name]).toBeUndefined();
    expect(answer.headers.filter((_, i) => i % 2 === 0)).toEqual(['set-cookie', 'set-cookie', 'x-r', 'date']);
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });

  it('has its body sent, of known length or as a stream, and its answer’s trailers told', async () => {
    const lengths: unknown[] = [];
    const { port } = await serveHttp2(async (stream, headers) => {
      lengths.push(headers['content-length']);
      const text = await collect(stream);
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '7' }));
      stream.end(text);
    });
    const target = await to(port);
    const bytes = new TextEncoder().encode('some bytes');
    const known = await ask(stage, target, { method: 'POST', body: { kind: 'bytes', bytes } }).ended;
    expect(known).toMatchObject({ text: 'some bytes', trailers: ['grpc-status', '7'] });
    async function* pieces() {
      yield bytes;
      yield bytes;
    }
    const stream = await ask(stage, target, { method: 'POST', body: { kind: 'stream', stream: pieces() } }).ended;
    expect(stream).toMatchObject({ text: 'some bytessome bytes' });
    await ask(stage, target, { method: 'POST' }).ended;
    expect(lengths).toEqual(['10', undefined, '0']);
  });

  it('brings informational responses and answers without a body', async () => {
    const { port } = await serveHttp2((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
      stream.respond({ ':status': 204, 'x-r': '1' }, { endStream: true });
    });
    const answer = await ask(stage, await to(port), { method: 'HEAD' }).ended;
    expect(answer).toMatchObject({ status: 204, text: '', informational: [103] });
  });

  it('waits at both ends for who reads slowly', async () => {
    const PIECE = 64 * 1024;
    let written = 0;
    let isStalled = false;
    const { port } = await serveHttp2((stream) => {
      stream.respond({ ':status': 200 });
      const write = (): void => {
        isStalled = false;
        while (written < 64 && !isStalled) {
          written++;
          isStalled = !stream.write(new Uint8Array(PIECE));
        }
        if (written === 64) stream.end();
      };
      stream.on('drain', write);
      write();
    });
    const answer = new Answer();
    answer.isFlowing = false;
    const target = await to(port);
    const call = startCall(stage.runtime, target, ASKED, { kind: 'none' }, answer, OPTIONS);
    await until(() => answer.chunks > 0);
    for (let i = 0; i < 50; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(written).toBeLessThan(64);
    answer.isFlowing = true;
    call.resume();
    await answer.ended;
    expect(answer.text.length).toBe(64 * PIECE);
  });

  it('shares a connection with others', async () => {
    const origin = await serveHttp2((stream) => {
      stream.respond({ ':status': 200 });
      setTimeout(() => stream.end('x'), 5);
    });
    const target = await to(origin.port);
    await Promise.all(Array.from({ length: 20 }, () => ask(stage, target).ended));
    expect(origin.connections).toBe(1);
    const { story } = (await ask(stage, target).ended).call ?? {};
    expect(story?.attempts[0]).toMatchObject({ status: 200, reused: true });
    expect(stage.connections.stats()).toMatchObject({ open: 1, idle: 1, waiting: 0 });
  });

  it('goes on another connection where the peer, or the cluster, allows no more streams', async () => {
    const slow: OnStream = (stream) => {
      setTimeout(() => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end('x');
      }, 20);
    };
    const origin = await serveHttp2(slow, { maxConcurrentStreams: 2 });
    const target = await to(origin.port);
    await Promise.all(Array.from({ length: 5 }, () => ask(stage, target).ended));
    expect(origin.connections).toBe(3);
    const other = await serveHttp2(slow);
    const limited = await to(other.port, { http2Options: { maxConcurrentStreams: 4 } });
    await Promise.all(Array.from({ length: 8 }, () => ask(stage, limited).ended));
    expect(other.connections).toBe(2);
  });
});

const ASKED = {
  method: 'GET',
  scheme: 'http',
  authority: 'reviews:9080',
  path: '/',
  headers: [],
} as const as unknown as Parameters<typeof startCall>[2];
const OPTIONS = { localReply: 'resolve', originalDestination: { host: 'reviews', port: 9080 } } as const;

describe('what goes wrong on HTTP/2', () => {
  it.each([
    { code: 7, status: 503, flag: 'UR', reason: 'remote refused stream reset' },
    { code: 1, status: 502, flag: 'UPE', reason: 'protocol error' },
    { code: 2, status: 503, flag: 'UR', reason: 'remote reset' },
    { code: 0, status: 503, flag: 'UR', reason: 'remote reset' },
    { code: 8, status: 503, flag: 'UR', reason: 'remote reset' },
    { code: 11, status: 503, flag: 'UR', reason: 'remote reset' },
  ])(
    'RST_STREAM $code before the head is $status $flag, and costs no connection',
    async ({ code, status, flag, reason }) => {
      const origin = await serveHttp2((stream) => stream.close(code));
      const target = await to(origin.port);
      for (let i = 0; i < 2; i++) {
        const answer = await ask(stage, target).ended;
        expect(answer).toMatchObject({ status, text: RESET + reason });
        expect(answer.call?.story.flags).toEqual([flag]);
      }
      expect(origin.connections).toBe(1);
      expect(activeRequests(target.upstreams.values())).toBe(0);
    },
  );

  it('a connection lost before the head is 503 UC, in the body UC', async () => {
    let isLate = false;
    const origin: Origin = await serveHttp2((stream) => {
      if (isLate) {
        stream.respond({ ':status': 200 });
        stream.write('abc');
      }
      setTimeout(() => {
        for (const socket of origin.sockets) socket.destroy();
      }, 20);
    });
    const target = await to(origin.port);
    const answer = await ask(stage, target).ended;
    expect(answer).toMatchObject({ status: 503, text: `${RESET}connection termination` });
    expect(answer.call?.story.flag).toBe('UC');
    isLate = true;
    const broken = await ask(stage, target).ended;
    expect(broken.status).toBe(200);
    expect(broken.error).toBeInstanceOf(MeshError);
    expect(broken.call?.story.flag).toBe('UC');
    expect(stage.connections.stats()).toMatchObject({ open: 0, waiting: 0 });
  });

  it('a body broken by RST_STREAM is UR', async () => {
    const { port } = await serveHttp2((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('abc');
      setTimeout(() => stream.destroy(new Error('x')), 20);
    });
    const broken = await ask(stage, await to(port)).ended;
    expect(broken).toMatchObject({ status: 200, text: 'abc' });
    expect(broken.call?.story.flag).toBe('UR');
  });

  it('what answers in another protocol is 502 UPE; who closes at once 503 UC', async () => {
    const { port } = await serveHttp(() => {});
    const answer = await ask(stage, await to(port)).ended;
    expect(answer).toMatchObject({ status: 502, text: `${RESET}protocol error` });
    const closing = await serveRaw((socket) => socket.destroy());
    const closed = await ask(stage, await to(closing.port)).ended;
    expect(closed).toMatchObject({ status: 503, text: `${RESET}connection termination` });
  });

  it('a header that cannot be sent is the caller’s error', async () => {
    const { port } = await serveHttp2((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const target = await to(port);
    const answer = await ask(stage, target, { headers: ['x y', '1'] }).ended;
    expect(answer.error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' });
    expect(await ask(stage, target).ended).toMatchObject({ status: 200 });
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });
});

describe('GOAWAY', () => {
  it('lets the stream under way end; the next request has a connection of its own', async () => {
    const origin = await serveHttp2((stream) => {
      stream.session?.goaway(0, stream.id ?? 0);
      setTimeout(() => {
        stream.respond({ ':status': 200 });
        stream.end('x');
      }, 20);
    });
    const target = await to(origin.port);
    const one = ask(stage, target);
    await until(() => origin.connections === 1);
    expect(await one.ended).toMatchObject({ status: 200, text: 'x' });
    expect(await ask(stage, target).ended).toMatchObject({ status: 200 });
    expect(origin.connections).toBe(2);
    await until(() => stage.connections.stats().open === 0);
  });

  it.each([0, 2])(
    'with code %i: a request it leaves out was not taken, and is sent again whatever it is',
    async (code) => {
      let count = 0;
      const origin = await serveHttp2((stream) => {
        if (++count > 1) {
          stream.respond({ ':status': 200 });
          stream.end('x');
          return;
        }
        // Nothing has been looked at.
        for (const socket of origin.sockets) socket.write(goawayFrame(0, code));
        if (code !== 0) setTimeout(() => stream.session?.destroy(), 10);
      });
      const target = await to(origin.port, {}, true);
      const answer = await ask(stage, target, { method: 'POST' }).ended;
      expect(answer).toMatchObject({ status: 200, text: 'x' });
      expect(answer.call?.story.attempts.map(({ flag }) => flag)).toEqual(['UR', undefined]);
    },
  );
});

function goawayFrame(lastStream: number, code: number): Uint8Array {
  const frame = new DataView(new ArrayBuffer(17));
  frame.setUint8(2, 8);
  frame.setUint8(3, 7);
  frame.setUint32(9, lastStream);
  frame.setUint32(13, code);
  return new Uint8Array(frame.buffer);
}

describe('a call that is aborted', () => {
  it.each(['before the connection', 'before the head', 'in the body', 'in the request'] as const)(
    '%s ends its stream only',
    async (when) => {
      const resets: number[] = [];
      const origin = await serveHttp2((stream) => {
        stream.on('close', () => resets.push(stream.rstCode ?? -1));
        if (when === 'in the body') {
          stream.respond({ ':status': 200 });
          stream.write('abc');
        }
      });
      const target = await to(origin.port);
      async function* endless() {
        for (;;) {
          yield new Uint8Array(10);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      const asked =
        when === 'in the request' ? { method: 'POST', body: { kind: 'stream', stream: endless() } as const } : {};
      const answer = ask(stage, target, asked);
      if (when === 'in the body') await until(() => answer.chunks > 0);
      else if (when !== 'before the connection') {
        await until(() => origin.connections === 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const reason = new Error('enough');
      answer.call?.abort(reason);
      expect((await answer.ended).error).toBe(reason);
      if (when !== 'before the connection') {
        await until(() => resets.length === 1);
        expect(resets).toEqual([8]);
        await until(() => stage.connections.stats().idle === 1);
      }
      expect(activeRequests(target.upstreams.values())).toBe(0);
      expect(stage.connections.stats()).toMatchObject({ waiting: 0, dialling: 0 });
    },
  );
});

describe('the life of a connection', () => {
  const ok: OnStream = (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('x');
  };

  it('ends after maxRequestsPerConnection requests', async () => {
    const origin = await serveHttp2(ok);
    const target = await to(origin.port, { maxRequestsPerConnection: 2 });
    for (let i = 0; i < 5; i++) await ask(stage, target).ended;
    expect(origin.connections).toBe(3);
  });

  it('ends when it is older than the cluster allows, and when nobody has used it for long', async () => {
    const origin = await serveHttp2(ok);
    const target = await to(origin.port, { maxConnectionDurationMs: 10_000, idleTimeoutMs: 1_000 });
    const askAfter = async (ms: number): Promise<void> => {
      stage.addMs += ms;
      await ask(stage, target).ended;
      // Its stream is closed.
      await new Promise<void>((resolve) => setImmediate(resolve));
    };
    await askAfter(0);
    await askAfter(1_000);
    expect(origin.connections).toBe(2);
    for (let i = 0; i < 11; i++) await askAfter(950);
    expect(origin.connections).toBe(3);
  });

  it('ends with the mesh', async () => {
    const origin = await serveHttp2(ok);
    await ask(stage, await to(origin.port)).ended;
    await stage.close();
    await until(() => origin.sockets.size === 0);
  });
});

describe('upgrades', () => {
  it('are extended CONNECT where the peer takes it (RFC 8441)', async () => {
    let seen: http2.IncomingHttpHeaders = {};
    const { port } = await serveHttp2(
      (stream, headers) => {
        seen = headers;
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
      },
      { enableConnectProtocol: true },
    );
    const target = await to(port);
    const answer = new Answer();
    let switched: string[] = [];
    const upgraded = new Promise<Duplex>((resolve) => {
      Object.assign(answer, {
        onUpgrade(status: number, headers: string[], socket: Duplex) {
          switched = headers;
          if (status === 101) resolve(socket);
        },
      });
    });
    // The key and what it must be answered with are those of RFC 6455 §1.3.
    const asked = { ...ASKED, headers: ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='] };
    startCall(stage.runtime, target, asked, { kind: 'none' }, answer, { ...OPTIONS, upgrade: 'websocket' });
    const socket = await upgraded;
    expect(seen).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/' });
    expect(switched).toEqual(expect.arrayContaining(['upgrade', 'websocket', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=']));
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    socket.end();
    await once(socket, 'close');
    expect(activeRequests(target.upstreams.values())).toBe(0);
  });

  it('are refused with a reason where it does not', async () => {
    const { port } = await serveHttp2((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const answer = await ask(stage, await to(port), { options: { upgrade: 'websocket', localReply: 'throw' } }).ended;
    expect(answer.error).toBeInstanceOf(MeshError);
    expect((answer.error as MeshError).message).toContain('the peer takes no upgrades over HTTP/2 (RFC 8441)');
  });
});

describe('over TLS', () => {
  const roots = tls.getCACertificates('default');
  beforeAll(() => tls.setDefaultCACertificates([...roots, TEST_ROOT]));
  afterAll(() => tls.setDefaultCACertificates(roots));

  const secure = { key: TEST_KEY, cert: TEST_CERTIFICATE };
  const settings = { tls: { sni: 'reviews.test', alpn: [], roots: { kind: 'system' as const }, subjectAltNames: [] } };

  it('HTTP/2 is what is offered, and spoken', async () => {
    const server = http2.createSecureServer(secure, (request, reply) => {
      reply.end(`${request.httpVersion} ${request.stream.session?.alpnProtocol} ${request.scheme}`);
    });
    const target = await to((await serve(server)).port, settings);
    expect(await ask(stage, target).ended).toMatchObject({ status: 200, text: '2.0 h2 https' });
  });

  it('auto_config takes HTTP/2 where the peer does, else HTTP/1.1; HTTP/1.1 in clear', async () => {
    const auto = { ...settings, http2: false, http2IfOffered: true } as const;
    const both = http2.createSecureServer({ ...secure, allowHTTP1: true }, (request, reply) =>
      reply.end(request.httpVersion),
    );
    const old = https.createServer(secure, (request, reply) => reply.end(request.httpVersion));
    const asked = async (port: number, more: Partial<Cluster>) => (await ask(stage, await to(port, more)).ended).text;
    expect(await asked((await serve(both)).port, auto)).toBe('2.0');
    expect(await asked((await serve(old)).port, auto)).toBe('1.1');
    const clear = await serveHttp((request, reply) => reply.end(request.httpVersion));
    expect(await asked(clear.port, { http2: false, http2IfOffered: true })).toBe('1.1');
  });
});
