import { spawn } from 'node:child_process';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { defaultOf } from '../defaults.ts';
import type { AdsStatus } from '../discovery/transport.ts';
import { createGrpcTransport } from './grpc-transport.ts';
import { startSession } from './session.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const SETTINGS_FRAME = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Accepts, says it speaks HTTP/2, and then hears nothing any more: as good as half-open. */
async function deafServer(): Promise<string> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
    socket.write(SETTINGS_FRAME);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(server: string) {
  const clock = createFakeClock();
  const transport = createGrpcTransport({ server, clock });
  const start = () => {
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<AdsStatus>();
    const stream = transport.open('delta', { opened: opened.resolve, message: () => {}, close: closed.resolve });
    open.push(() => stream.close());
    return { opened: opened.promise, closed: closed.promise };
  };
  return { clock, start };
}

describe('keepalive (gRFC A8)', () => {
  it('a connection whose peer answers no PING is given up', async () => {
    const { clock, start } = connect(await deafServer());
    const { opened, closed } = start();
    await opened;
    await clock.pass(defaultOf('adsPingIntervalMs'));
    await clock.pass(defaultOf('adsPingTimeoutMs'));
    expect(await closed).toMatchObject({
      code: 14,
      message: expect.stringContaining('no answer to a PING within 10000 ms'),
    });
  });

  it('one whose peer answers goes on; a peer that asks for calm gets half as many from the next connection', async () => {
    const sessions: http2.ServerHttp2Session[] = [];
    const server = http2.createServer();
    server.on('session', (session) => {
      session.on('error', () => {});
      sessions.push(session);
    });
    server.on('stream', (stream) => stream.on('error', () => {}));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    const { clock, start } = connect(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const first = start();
    await first.opened;
    const pings: number[] = [];
    sessions[0]?.on('ping', () => pings.push(clock.now()));
    for (let round = 1; round <= 3; round += 1) {
      await clock.pass(defaultOf('adsPingIntervalMs'));
      await expect.poll(() => pings.length).toBe(round);
      // Until the answer is back, and has started the next interval.
      await expect.poll(() => clock.pending().some((ms) => ms > defaultOf('adsPingTimeoutMs'))).toBe(true);
    }
    sessions[0]?.goaway(11);
    await first.closed;
    const second = start();
    await second.opened;
    expect(clock.pending()).toContain(2 * defaultOf('adsPingIntervalMs'));
  });

  it('a server that never accepts is given up after the connect time-out', async () => {
    // TEST-NET-1: nobody answers there.
    const { clock, start } = connect('192.0.2.1:15010');
    const { closed } = start();
    await settle();
    await clock.pass(defaultOf('connectTimeoutMs'));
    expect((await closed).code).toBe(14);
  });
});

describe('the process', () => {
  const run = (server: string, extra: string) =>
    new Promise<{ code: number | null; ms: number }>((resolve) => {
      const started = performance.now();
      const here = new URL('.', import.meta.url).href;
      const script = `
        const { createGrpcTransport } = await import('${here}grpc-transport.ts');
        const opened = Promise.withResolvers();
        const stream = createGrpcTransport({ server: '${server}' }).open('delta', { opened: opened.resolve, message() {}, close() {} });
        stream.ref();
        await opened.promise;
        ${extra}`;
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
        stdio: 'inherit',
      });
      child.on('exit', (code) => resolve({ code, ms: performance.now() - started }));
      open.push(() => child.kill());
    });

  it('is not kept alive by an idle stream', async () => {
    expect((await run(await deafServer(), 'stream.unref();')).code).toBe(0);
  });

  it('is kept alive by one that somebody waits for', async () => {
    const { code } = await run(await deafServer(), 'setTimeout(() => process.exit(7), 300).unref();');
    expect(code).toBe(7);
  });
});

describe('GOAWAY', () => {
  it('a session that is ended after it is over, though its peer keeps the connection', async () => {
    const goAway = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, ...[0, 0, 0, 0], ...[0, 0, 0, 0]]);
    const sockets: net.Socket[] = [];
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on('error', () => {}).resume());
      socket.write(Buffer.concat([SETTINGS_FRAME, goAway]));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const ended = Promise.withResolvers<string>();
    const session = startSession(
      net.connect(port, '127.0.0.1'),
      'http://127.0.0.1',
      { kind: 'ads', clock: createFakeClock() },
      {
        connected: () => {},
        // Node has begun to close the session by then.
        goingAway: () => setImmediate(() => session.destroy()),
        ended: ended.resolve,
      },
    );
    expect(await ended.promise).toBe('the connection was closed');
  });
});
