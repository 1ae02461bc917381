import http from 'node:http';
import http2 from 'node:http2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type FaultServerOptions, type FaultServers, startFaultServers } from './fault-server.ts';

let group: FaultServers | undefined;
afterEach(() => group?.close());

async function start(...list: FaultServerOptions[]): Promise<FaultServers> {
  group = await startFaultServers(list);
  return group;
}

interface Got {
  readonly status?: number;
  readonly body?: string;
  readonly trailers?: NodeJS.Dict<string>;
  readonly error?: string;
}

const agent = new http.Agent({ keepAlive: true });

function ask({ servers }: FaultServers, script: string, headers: Record<string, string> = {}): Promise<Got> {
  const port = servers[0]?.port ?? 0;
  return new Promise((resolve) => {
    let got: Got = {};
    const failed = (error: NodeJS.ErrnoException): void => resolve({ ...got, error: error.code ?? '' });
    const request = http.get(
      { port, agent, headers: { 'x-call': '1', 'x-script': script, ...headers } },
      (response) => {
        got = { status: response.statusCode ?? 0, body: '' };
        response.on('error', failed);
        response.on('data', (chunk) => {
          got = { ...got, body: got.body + String(chunk) };
        });
        response.on('end', () => resolve({ ...got, trailers: response.trailers }));
      },
    );
    request.on('error', failed);
  });
}

describe('a fault server', () => {
  it('goes through the script of a call, one step an attempt, and stays at the last', async () => {
    const all = await start({ name: 'a' });
    const script = 'reset,503;retry-after=1,ok;body=done';
    expect(await ask(all, script)).toEqual({ error: 'ECONNRESET' });
    expect(await ask(all, script)).toMatchObject({ status: 503, body: 'a' });
    expect(await ask(all, script)).toMatchObject({ status: 200, body: 'done' });
    expect(await ask(all, script)).toMatchObject({ status: 200 });
    expect(all.ledger.of('1').map(({ attempt, host }) => [attempt, host])).toEqual([1, 2, 3, 4].map((n) => [n, 'a']));
  });

  it('breaks off after the head or in the body, with a reset or a close', async () => {
    const all = await start({ name: 'abcd' });
    expect(await ask(all, 'reset-headers')).toEqual({ status: 200, body: '', error: 'ECONNRESET' });
    expect(await ask(all, 'reset-body', { 'x-call': '2' })).toEqual({ status: 200, body: 'ab', error: 'ECONNRESET' });
    expect(await ask(all, 'truncate', { 'x-call': '3' })).toMatchObject({ status: 200, body: 'ab' });
  });

  it('answers with trailers, and by a script of its own', async () => {
    const all = await start({ name: 'a' });
    const got = await ask(all, 'ok', { 'x-script-a': 'ok;trailer.grpc-status=14' });
    expect(got.trailers).toEqual({ 'grpc-status': '14' });
  });

  it('resets a reused connection after so many requests: the keep-alive race', async () => {
    const all = await start({ name: 'a', dropsAfter: 1 });
    expect(await ask(all, 'ok')).toMatchObject({ status: 200 });
    expect(await ask(all, 'ok')).toEqual({ error: 'ECONNRESET' });
    expect(all.servers[0]?.counts).toMatchObject({ requests: 2, connectionsTotal: 1 });
  });

  it('refuses connections, or accepts and closes', async () => {
    expect(await ask(await start({ name: 'a', connections: 'refuse' }), 'ok')).toEqual({ error: 'ECONNREFUSED' });
    await group?.close();
    expect(await ask(await start({ name: 'a', connections: 'close' }), 'ok')).toEqual({ error: 'ECONNRESET' });
  });

  it('refuses a stream of HTTP/2, and says GOAWAY before an answer', async () => {
    const { servers } = await start({ name: 'a', protocol: 'h2', maxConcurrentStreams: 7 });
    const session = http2.connect(`http://127.0.0.1:${servers[0]?.port}`);
    const once = (script: string): Promise<number | string> =>
      new Promise((resolve) => {
        const stream = session.request({ 'x-script': script, 'x-call': script });
        stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
        stream.on('error', (error) => resolve(error.message));
        stream.on('close', () => resolve('closed'));
        stream.resume();
      });
    expect(await once('refuse')).toContain('NGHTTP2_REFUSED_STREAM');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(7);
    const gone = new Promise((resolve) => session.once('goaway', resolve));
    expect(await once('goaway')).toBe(200);
    expect(await gone).toBe(0);
    session.destroy();
  });

  it.each(['goaway', 'close,reset', 'reset-body,close'])(
    'knows that a connection of HTTP/2 is over: %s',
    async (steps) => {
      const { servers } = await start({ name: 'a', protocol: 'h2' });
      const session = http2.connect(`http://127.0.0.1:${servers[0]?.port}`);
      session.on('error', () => {});
      for (const script of steps.split(',')) {
        const stream = session.request({ 'x-script': script, 'x-call': script });
        stream.on('error', () => {});
        stream.resume();
      }
      await new Promise((resolve) => session.once('close', resolve));
      await vi.waitFor(() => expect(servers[0]?.counts).toMatchObject({ connectionsTotal: 1, connectionsOpen: 0 }));
    },
  );
});
