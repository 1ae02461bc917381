import { once } from 'node:events';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, askStream, fate, plain, type Setting, secure, session, startGuarded, until } from './server.fixture.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function http2Server(): Promise<Setting> {
  const app = http2.createServer((_, response) => response.end('ok'));
  const setting = await startGuarded(app, 'DISABLE');
  open.push(setting);
  return setting;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** RFC 9113 §4.1. */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const SETTINGS = frame(4, 0, 0);
const PING = frame(6, 0, 0, Buffer.alloc(8));

/** Writes for as long as it is taken. What comes back is read and thrown away. */
async function flood(socket: Socket, bytes: Buffer): Promise<void> {
  socket.resume();
  while (!socket.destroyed && socket.writable) {
    if (!socket.write(bytes)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Others are served while it goes on, and it ends. */
async function others({ port }: Setting, flooding: Promise<unknown>): Promise<void> {
  const client = session(await plain(port));
  expect((await askStream(client)).text).toBe('ok');
  await flooding;
  expect((await askStream(client)).text).toBe('ok');
  client.destroy();
}

describe('a guarded HTTP/2 server', () => {
  it('says ENHANCE_YOUR_CALM to rapid resets (CVE-2023-44487)', async () => {
    const setting = await http2Server();
    const socket = await plain(setting.port);
    const headers = frame(1, 0x5, 0, Buffer.from([0x82, 0x84, 0x86, 0x41, 0x01, 0x61]));
    let next = 1;
    const burst = (): Buffer => {
      const parts: Buffer[] = [];
      for (let count = 0; count < 50; count++, next += 2) {
        const head = Buffer.from(headers);
        head.writeUInt32BE(next, 5);
        parts.push(head, frame(3, 0, next, Buffer.from([0, 0, 0, 8])));
      }
      return Buffer.concat(parts);
    };
    socket.write(Buffer.concat([PREFACE, SETTINGS]));
    socket.resume();
    const flooding = (async () => {
      while (!socket.destroyed && socket.writable) {
        socket.write(burst());
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await others(setting, flooding);
    expect(next).toBeLessThan(100_000);
  });

  it.each([
    ['PING', PING],
    ['SETTINGS', SETTINGS],
  ])('ends a flood of %s', async (_name, one) => {
    const setting = await http2Server();
    const socket = await plain(setting.port);
    socket.write(Buffer.concat([PREFACE, SETTINGS]));
    await others(setting, flood(socket, Buffer.concat(Array(200).fill(one))));
    await until(() => setting.guarded.stats().refused.flood === 1);
  });

  it('ends a flood of CONTINUATION, and of headers without end', async () => {
    const setting = await http2Server();
    const socket = await plain(setting.port);
    socket.write(Buffer.concat([PREFACE, SETTINGS, frame(1, 0x1, 1, Buffer.from([0x82, 0x84, 0x86]))]));
    const more = frame(9, 0, 1, Buffer.concat([Buffer.from([0, 1, 0x78, 100]), Buffer.alloc(100, 97)]));
    await others(setting, flood(socket, Buffer.concat(Array(20).fill(more))));
  });

  it('serves no more streams at a time than it says, to a peer that acknowledges nothing either', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const app = http2.createServer().on('stream', (stream) => {
      stream.on('error', () => {});
      streams.push(stream);
    });
    const setting = await startGuarded(app, 'DISABLE');
    open.push(setting);
    const socket = await plain(setting.port);
    socket.resume();
    const parts = [PREFACE, SETTINGS];
    for (let id = 1; id < 2 * 400; id += 2) parts.push(frame(1, 0x5, id, Buffer.from([0x82, 0x84, 0x86, 0x41, 1, 97])));
    socket.write(Buffer.concat(parts));
    await until(() => streams.length >= 200);
    // What came with them has been read when another connection is served.
    const client = session(await plain(setting.port));
    client.request({ ':path': '/' }).on('error', () => {});
    await until(() => streams.length >= 201);
    expect(streams).toHaveLength(201);
    client.destroy();
    socket.destroy();
  });
});

describe('a guarded HTTP/1.1 server', () => {
  it('serves others beside 1,000 connections that say nothing, or half of a greeting', async () => {
    const app = createServer((_, response) => response.end('ok'));
    const setting = await startGuarded(app, 'PERMISSIVE');
    open.push(setting);
    const before = process.memoryUsage().rss;
    const idle = await Promise.all(Array.from({ length: 1_000 }, () => plain(setting.port)));
    for (const [at, socket] of idle.entries())
      if (at % 2 === 0) socket.write(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252]));
    const mutual = await secure(setting, setting.caller);
    expect((await ask(mutual)).text).toBe('ok');
    expect((await ask(await plain(setting.port))).text).toBe('ok');
    // Both ends are in this process.
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    for (const socket of idle) socket.destroy();
    mutual.destroy();
    await until(() => setting.guarded.stats().connections <= 1);
  });

  it('gives headers their time, over TLS of the mesh as well; what the application set itself stays', async () => {
    const usual = createServer();
    open.push(await startGuarded(usual, 'DISABLE'));
    expect([usual.headersTimeout, usual.keepAliveTimeout]).toEqual([15_000, 75_000]);
    const app = createServer({ connectionsCheckingInterval: 50, headersTimeout: 300, keepAliveTimeout: 7_000 });
    const setting = await startGuarded(app, 'STRICT');
    open.push(setting);
    expect([app.headersTimeout, app.keepAliveTimeout]).toEqual([300, 7_000]);
    const slow = await secure(setting, setting.caller);
    slow.write('GET / HTTP/1.1\r\nhost: a\r\nx-slow: ');
    expect(await fate(slow)).toMatch(/^HTTP\/1.1 408 |closed/);
  });
});
