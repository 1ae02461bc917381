import type http2 from 'node:http2';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { InboundMode } from './chain.ts';
import { type GrpcSetting, say, startGrpc, whoServer } from './grpc.fixture.ts';
import { fate, plain, secure, session, until } from './server.fixture.ts';

/** What callers do that mean no good, or know no better. Whatever it is, others are served, and the process goes on. */

const open: GrpcSetting[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) {
    for (const close of one.closers.splice(0)) await close();
    await one[Symbol.asyncDispose]();
  }
});
const start = async (mode: InboundMode = 'DISABLE', server?: grpc.Server): Promise<GrpcSetting> => {
  const setting = await startGrpc(mode, {}, server);
  open.push(setting);
  return setting;
};

const UNARY = {
  ':method': 'POST',
  ':path': '/test.Echo/Unary',
  'content-type': 'application/grpc',
  te: 'trailers',
};

function message(payload: Buffer, flags = 0, length = payload.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, payload]);
}

interface Answer {
  readonly status: number | undefined;
  readonly grpcStatus: string;
}

/** What becomes of one stream; undefined: it was reset. */
function ask(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body: Buffer,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const stream = client.request(headers);
    let status: number | undefined;
    let grpcStatus = '';
    const read = (head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader): void => {
      status ??= head[':status'];
      grpcStatus = String(head['grpc-status'] ?? grpcStatus);
    };
    stream.on('response', read).on('trailers', read).resume();
    stream.on('error', () => {});
    stream.on('close', () => resolve(status === undefined ? undefined : { status, grpcStatus }));
    stream.end(body);
  });
}

const served = async (setting: GrpcSetting): Promise<void> => {
  expect((await say(setting.client())).text).toBe('nobody');
};

describe('a guarded gRPC server', () => {
  it.each([
    ['a message that claims 4 GiB', UNARY, message(Buffer.from('x'), 0, 0xffff_ffff), grpc.status.RESOURCE_EXHAUSTED],
    [
      'an encoding nobody knows',
      { ...UNARY, 'grpc-encoding': 'nonsense' },
      message(Buffer.from('x'), 1),
      grpc.status.UNIMPLEMENTED,
    ],
    [
      'a method nobody has',
      { ...UNARY, ':path': '/test.Echo/Nothing' },
      message(Buffer.from('x')),
      grpc.status.UNIMPLEMENTED,
    ],
    ['no path at all', { ':method': 'CONNECT', ':authority': 'a:1' }, Buffer.alloc(0), undefined],
    ['another content type', { ...UNARY, 'content-type': 'text/html' }, Buffer.from('<html>'), undefined],
    ['a message that is cut off', UNARY, message(Buffer.from('x'), 0, 9), undefined],
    ['two messages for one', UNARY, Buffer.concat([message(Buffer.from('a')), message(Buffer.from('b'))]), undefined],
    ['a deadline that is none', { ...UNARY, 'grpc-timeout': 'soon' }, message(Buffer.from('x')), undefined],
  ] as const)('survives %s', async (_, headers, body, code) => {
    const setting = await start();
    const client = session(await plain(setting.port));
    const answer = await ask(client, headers, body);
    if (code !== undefined) expect(answer?.grpcStatus).toBe(String(code));
    expect(answer?.grpcStatus).not.toBe('0');
    client.destroy();
    await served(setting);
  });

  it('survives every code a stream can be reset with, before and while it is answered', async () => {
    const held: (() => void)[] = [];
    const unary: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) =>
      String(call.request) === 'hold'
        ? void held.push(() => done(null, Buffer.from('late')))
        : done(null, Buffer.from('nobody'));
    const setting = await start('DISABLE', whoServer({ unary }));
    const client = session(await plain(setting.port));
    for (let code = 0; code <= 13; code++) {
      const early = client.request(UNARY);
      early.on('error', () => {});
      early.close(code);
      const late = client.request(UNARY);
      late.on('error', () => {});
      late.end(message(Buffer.from('hold')));
      await until(() => held.length === code + 1);
      late.close(code);
      held[code]?.();
    }
    await served(setting);
    client.destroy();
    await until(() => setting.guarded.stats().requests === 0);
  });

  it('survives 20,000 empty DATA frames', async () => {
    const setting = await start();
    const client = session(await plain(setting.port));
    const stream = client.request({ ...UNARY, ':path': '/test.Echo/Collect' });
    stream.on('error', () => {});
    for (let count = 0; count < 20_000; count++) {
      stream.write(Buffer.alloc(0));
      if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await served(setting);
    client.destroy();
  });

  it.each([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['half of the preface', 'PRI * HTTP/2.0\r\n\r\nSM'],
    ['the preface, and then no frame', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u00ff\u00ff\u00ff\u00ff\u00ff'],
  ])('survives %s', async (_, text) => {
    const setting = await start('PERMISSIVE');
    const socket = await plain(setting.port);
    socket.write(Buffer.from(text, 'latin1'));
    socket.end();
    socket.resume();
    await until(() => setting.guarded.stats().connections === 0);
    await served(setting);
  });

  it('takes PING that follows what it has sent for measuring the link, as grpc-go and C-core do (gRFC A8)', async () => {
    const spread: grpc.handleServerStreamingCall<Buffer, Buffer> = (call) => {
      const timer = setInterval(() => call.write(Buffer.alloc(256)), 0);
      call.on('cancelled', () => clearInterval(timer));
    };
    const setting = await start('DISABLE', whoServer({ spread }));
    const client = session(await plain(setting.port));
    const stream = client.request({ ...UNARY, ':path': '/test.Echo/Spread' });
    stream.on('error', () => {});
    let pings = 0;
    stream.on('data', () => {
      for (let count = 0; count < 8; count++) client.ping(() => pings++);
    });
    stream.end(message(Buffer.alloc(1)));
    await until(() => pings > 2_000 || client.destroyed);
    expect(client.destroyed).toBe(false);
    expect(setting.guarded.stats().refused.flood).toBeUndefined();
    client.destroy();
  });
});

describe('who has nothing to show, under STRICT', () => {
  const shown = async (connect: () => Promise<Socket>): Promise<string> => {
    const socket = await connect().catch(() => undefined);
    return socket === undefined ? 'closed' : fate(socket);
  };

  it.each([
    ['no certificate', () => undefined],
    ['one of another trust domain', (setting: GrpcSetting) => setting.ca.issue({ uris: ['spiffe://other/ns/a/sa/b'] })],
    [
      'one with two names',
      (setting: GrpcSetting) =>
        setting.ca.issue({ uris: ['spiffe://cluster.local/ns/a/sa/b', 'spiffe://cluster.local/ns/a/sa/c'] }),
    ],
    ['one without a name', (setting: GrpcSetting) => setting.ca.issue({ uris: [] })],
  ] as const)('%s: closed before anything is said', async (_, certificate) => {
    const setting = await start('STRICT');
    const own = await certificate(setting);
    expect(await shown(() => secure(setting, own, ['h2']))).toBe('closed');
    expect(setting.guarded.stats().refused.peer).toBe(1);
    expect((await say(setting.client(setting.caller))).text).toBe('productpage');
  });

  it('no session is resumed: who was proven once proves it again', async () => {
    const setting = await start('STRICT');
    const { port, ca, caller } = setting;
    const first = await secure(setting, caller, ['h2']);
    const kept: Buffer[] = [];
    first.on('session', (one: Buffer) => kept.push(one));
    const client = session(first);
    expect(await ask(client, UNARY, message(Buffer.from('x')))).toMatchObject({ grpcStatus: '0' });
    client.destroy();
    // Without a ticket there may be none; whatever there is does not stand for a certificate.
    const resumed = tls.connect({
      ...{ port, host: '127.0.0.1', ca: ca.pem, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'] },
      ...(kept[0] && { session: kept[0] }),
    });
    resumed.on('error', () => {});
    expect(await fate(resumed)).toBe('closed');
    expect(resumed.isSessionReused()).toBe(false);
  });
});
