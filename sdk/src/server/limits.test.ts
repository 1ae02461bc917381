import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import type { InboundLimits } from '../model/inbound.ts';
import type { Guardable } from './app-server.ts';
import { ask, askStream, fate, plain, type Setting, session, startGuarded, until } from './server.fixture.ts';

const open: Setting[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});
const start = async (app: Guardable, limits: InboundLimits): Promise<Setting> => {
  const setting = await startGuarded(app, 'DISABLE', { limits });
  open.push(setting);
  return setting;
};

/** Answers when told to. */
function held() {
  const waiting: ServerResponse[] = [];
  const listener: RequestListener = (_request, response) => waiting.push(response);
  return { listener, waiting, release: () => waiting.splice(0).map((response) => response.end('late')) };
}

describe('Sidecar.inboundConnectionPool', () => {
  it('maxConnections: those above it are closed; one that ends makes room', async () => {
    const { port, guarded } = await start(
      createServer((_, response) => response.end('ok')),
      { maxConnections: 1 },
    );
    const first = await plain(port);
    expect((await ask(first)).text).toBe('ok');
    expect(await fate(await plain(port))).toBe('closed');
    expect(guarded.stats()).toMatchObject({ connections: 1, refused: { 'too-many': 1 } });
    first.destroy();
    await until(() => guarded.stats().connections === 0);
    expect((await ask(await plain(port))).text).toBe('ok');
  });

  it('http2MaxRequests: 503 UO as Envoy, for HTTP/1.1', async () => {
    const { listener, waiting, release } = held();
    const { port, guarded } = await start(createServer(listener), { maxRequests: 1 });
    const first = ask(await plain(port));
    await until(() => waiting.length === 1);
    const second = await plain(port);
    const refused = await ask(second);
    expect(refused).toMatchObject({ status: 503, headers: { 'x-envoy-overloaded': 'true' } });
    expect(refused.text).toContain('reset reason: overflow');
    const grpc = await ask(await plain(port), { headers: { 'content-type': 'application/grpc' } });
    expect(grpc).toMatchObject({ status: 200, headers: { 'grpc-status': '14' } });
    release();
    expect((await first).text).toBe('late');
    expect(guarded.stats().requests).toBe(0);
  });

  it('http2MaxRequests: for HTTP/2 likewise, its slots given back by streams that are reset', async () => {
    const open: http2.ServerHttp2Stream[] = [];
    const app = http2.createServer().on('stream', (stream) => {
      stream.on('error', () => {});
      open.push(stream);
    });
    const { port, guarded } = await start(app, { maxRequests: 2 });
    const client = session(await plain(port));
    const streams = [client.request({ ':path': '/' }), client.request({ ':path': '/' })];
    for (const stream of streams) stream.on('error', () => {});
    await until(() => open.length === 2);
    expect(await askStream(client)).toMatchObject({ status: 503, headers: { 'x-envoy-overloaded': 'true' } });
    for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
    await until(() => guarded.stats().requests === 0);
    client.destroy();
  });

  it('maxRequestsPerConnection: the last answer says so, HTTP/2 by GOAWAY', async () => {
    const { port } = await start(
      createServer((_, response) => response.end('ok')),
      { maxRequestsPerConnection: 2 },
    );
    const socket = await plain(port);
    const closed = once(socket, 'close');
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await fate(socket)).toContain('keep-alive');
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await fate(socket)).toContain('Connection: close');
    await closed;

    const two = await start(
      http2.createServer((_, response) => response.end('ok')),
      { maxRequestsPerConnection: 2 },
    );
    const client = session(await plain(two.port));
    const goaway = once(client, 'goaway');
    expect((await askStream(client)).text).toBe('ok');
    expect((await askStream(client)).text).toBe('ok');
    expect((await goaway)[0]).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });

  it('idleTimeout: an idle connection is closed, a busy one is not; clients are told the time', async () => {
    const { listener, waiting, release } = held();
    const { port } = await start(createServer(listener), { idleTimeoutMs: 1_000 });
    const idle = fate(await plain(port));
    const socket = await plain(port);
    const busy = ask(socket);
    await until(() => waiting.length === 1);
    expect(await idle).toBe('closed');
    release();
    expect((await busy).headers['keep-alive']).toBe('timeout=1');
    expect(await fate(socket)).toBe('closed');
  });

  it('0 is no limit of times and of requests on a connection', async () => {
    const none = { idleTimeoutMs: 0, maxRequestsPerConnection: 0, maxConnectionDurationMs: 0 };
    const { port, guarded } = await start(
      createServer((_, response) => response.end('ok')),
      none,
    );
    const socket = await plain(port);
    for (let count = 0; count < 3; count++) expect((await ask(socket)).headers.connection).toBe('keep-alive');
    expect(guarded.stats().connections).toBe(1);
  });

  it('maxConnectionDuration: a connection ends at its time, with the request under way', async () => {
    const { listener, waiting, release } = held();
    const { port } = await start(createServer(listener), { maxConnectionDurationMs: 100 });
    const busy = ask(await plain(port));
    await until(() => waiting.length === 1);
    // Begun later, it ends later.
    const idle = fate(await plain(port));
    expect(await idle).toBe('closed');
    release();
    expect(await busy).toMatchObject({ status: 200, headers: { connection: 'close' } });
  });
});
