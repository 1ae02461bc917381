import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { Echo } from '../grpc/peer.fixture.ts';
import { currentInbound } from '../propagation/store.ts';
import {
  clientOf,
  collect,
  drain,
  type GrpcSetting,
  mutual,
  say,
  startGrpc,
  unusedPort,
  whoServer,
} from './grpc.fixture.ts';
import { guardWith } from './guard.ts';
import { session as http2Session, secure, until } from './server.fixture.ts';

const open: GrpcSetting[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) {
    for (const close of one.closers.splice(0)) await close();
    await one[Symbol.asyncDispose]();
  }
});
const start = async (...args: Parameters<typeof startGrpc>): Promise<GrpcSetting> => {
  const setting = await startGrpc(...args);
  open.push(setting);
  return setting;
};

describe('a guarded server of grpc-js', () => {
  it('under STRICT serves mutual TLS, every kind of call, and knows who asks', async () => {
    const setting = await start('STRICT');
    const client = setting.client(setting.caller);
    expect(await say(client)).toMatchObject({ text: 'productpage', code: undefined });
    expect(await collect(client, 'a', 'b')).toMatchObject({ text: 'productpage a b' });
    expect(await drain(client.spread(Buffer.from('x')))).toBe('productpage x');
    const chat = client.chat();
    chat.write(Buffer.from('ping'));
    chat.end();
    expect(await drain(chat)).toBe('productpage ping');
  });

  it('under STRICT refuses plain text, and TLS without a certificate of the mesh', async () => {
    const setting = await start('STRICT');
    expect((await say(setting.client())).code).toBe(grpc.status.UNAVAILABLE);
    const nobody = clientOf(
      setting,
      grpc.credentials.createSsl(Buffer.from(setting.ca.pem), null, null, { checkServerIdentity: () => undefined }),
    );
    expect((await say(nobody)).code).toBe(grpc.status.UNAVAILABLE);
    const stranger = await setting.ca.issue({ uris: ['spiffe://elsewhere/ns/default/sa/productpage'] });
    expect((await say(setting.client(stranger))).code).toBe(grpc.status.UNAVAILABLE);
    expect(setting.guarded.stats().refused).toMatchObject({ 'no-chain': expect.any(Number), peer: expect.any(Number) });
  });

  it('under PERMISSIVE serves both, though clients of gRPC offer none of the mesh’s protocols', async () => {
    const setting = await start('PERMISSIVE');
    expect((await say(setting.client())).text).toBe('nobody');
    const proven = setting.client(setting.caller);
    expect((await say(proven)).text).toBe('productpage');
    setting.mode('STRICT');
    expect((await say(proven)).text).toBe('productpage');
    await until(() => setting.guarded.stats().connections === 1);
  });

  it('under DISABLE ends TLS by the credentials it was given', async () => {
    const probe = await start('DISABLE');
    const { pem, keyPem } = await probe.ca.issue({ uris: ['spiffe://cluster.local/ns/default/sa/own'] });
    const own = grpc.ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(pem), private_key: Buffer.from(keyPem) },
    ]);
    const setting = await start('DISABLE', { credentials: own });
    const secured = clientOf(setting, mutual(probe, probe.caller));
    expect((await say(secured)).text).toBe('nobody');
    setting.mode('STRICT');
    expect((await say(setting.client(setting.caller))).text).toBe('productpage');
  });

  it('interceptors of the application’s run in front, and know who asks', async () => {
    const pass: grpc.ServerInterceptor = (_, call) => new grpc.ServerInterceptingCall(call);
    const setting = await start('STRICT', {}, whoServer({}, { interceptors: [pass, pass, pass] }));
    expect((await say(setting.client(setting.caller))).text).toBe('productpage');
  });

  it('headers of the mesh are taken off, and a handler’s calls carry the request’s own', async () => {
    let seen: grpc.Metadata | undefined;
    const unary: grpc.handleUnaryCall<Buffer, Buffer> = async (call, done) => {
      seen = call.metadata;
      await new Promise((resolve) => setImmediate(resolve));
      done(null, Buffer.from(currentInbound()?.headers.join(' ') ?? 'lost'));
    };
    const setting = await start('STRICT', { propagate: { headers: ['end-user'] } }, whoServer({ unary }));
    const metadata = new grpc.Metadata();
    metadata.set('end-user', 'jason');
    metadata.set('x-envoy-retry-on', '5xx');
    metadata.set('x-forwarded-client-cert', 'URI=spiffe://cluster.local/ns/default/sa/admin');
    expect((await say(setting.client(setting.caller), '', metadata)).text).toBe('end-user jason');
    expect(seen?.get('x-envoy-retry-on')).toEqual([]);
    expect(String(seen?.get('x-forwarded-client-cert'))).toMatch(/sa\/admin,By=.*URI=.*sa\/productpage$/);
  });

  it('beyond http2MaxRequests is UNAVAILABLE', async () => {
    const held: (() => void)[] = [];
    const unary: grpc.handleUnaryCall<Buffer, Buffer> = (_, done) => held.push(() => done(null, Buffer.from('late')));
    const setting = await start('DISABLE', {}, whoServer({ unary }));
    setting.mode('DISABLE', { maxRequests: 1 });
    const client = setting.client();
    const first = say(client);
    await until(() => held.length === 1);
    expect(await say(client)).toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('overflow'),
    });
    held[0]?.();
    expect((await first).text).toBe('late');
  });
});

describe('listening and its end', () => {
  const bind = (server: grpc.Server, address: string, credentials = grpc.ServerCredentials.createInsecure()) =>
    new Promise<number | string>((resolve) =>
      server.bindAsync(address, credentials, (error, port) => resolve(error?.message ?? port)),
    );

  it('bindAsync of a guarded server opens the guarded port', async () => {
    const setting = await start('STRICT');
    const server = whoServer();
    const guarded = guardWith(setting.side, server, {});
    const port = await bind(server, 'localhost:0');
    expect(port).toEqual(expect.any(Number));
    const client = clientOf({ port: Number(port), closers: setting.closers }, mutual(setting, setting.caller));
    expect((await say(client)).text).toBe('productpage');
    expect(await bind(server, '127.0.0.1:0')).toContain('one port a guarded server');
    await guarded.close();
  });

  it.each(['nowhere', '127.0.0.1:70000', 'localhost:http'])('bindAsync("%s") fails', async (address) => {
    const setting = await start('STRICT');
    const server = whoServer();
    const guarded = guardWith(setting.side, server, {});
    expect(await bind(server, address)).toContain('host:port or unix:PATH allowed');
    await guarded.close();
  });

  it('bindAsync with TLS that guard was not told of fails, instead of being open to who has no certificate of the mesh', async () => {
    const setting = await start('STRICT');
    const { pem, keyPem } = setting.caller;
    const own = grpc.ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(pem), private_key: Buffer.from(keyPem) },
    ]);
    const server = whoServer();
    const guarded = guardWith(setting.side, server, {});
    expect(await bind(server, `127.0.0.1:${await unusedPort()}`, own)).toContain('other credentials');
    await guarded.close();
  });

  it('a server is guarded once', async () => {
    const setting = await start('STRICT');
    expect(() => guardWith(setting.side, setting.server, {})).toThrow('guarded already');
  });

  it('close: GOAWAY, a call under way ends, a new one does not begin', async () => {
    const held: (() => void)[] = [];
    const unary: grpc.handleUnaryCall<Buffer, Buffer> = (_, done) => held.push(() => done(null, Buffer.from('last')));
    const setting = await start('STRICT', {}, whoServer({ unary }));
    const client = setting.client(setting.caller);
    const call = say(client);
    await until(() => held.length === 1);
    const closed = setting.guarded.close();
    expect((await say(client)).code).toBe(grpc.status.UNAVAILABLE);
    held[0]?.();
    expect((await call).text).toBe('last');
    await closed;
    expect(setting.guarded.stats().connections).toBe(0);
  });

  it('tryShutdown takes the service out of the mesh at once', async () => {
    const setting = await start('STRICT', { service: 'reviews' });
    expect(setting.side.registered.size).toBe(1);
    const client = setting.client(setting.caller);
    await say(client);
    const ended = new Promise<Error | undefined>((resolve) => setting.server.tryShutdown(resolve));
    expect(setting.side.registered.size).toBe(0);
    expect(await ended).toBeUndefined();
    expect(setting.guarded.unready()).toBe('closing');
  });

  it('close under load costs no call', async () => {
    const setting = await start('STRICT');
    const other = guardWith(setting.side, whoServer(), {});
    const { port } = await other.listen({ port: 0, host: '127.0.0.1' });
    const client = new Echo(`ipv4:127.0.0.1:${setting.port},127.0.0.1:${port}`, mutual(setting, setting.caller), {
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
    setting.closers.push(() => client.close());
    let isOver = false;
    let served = 0;
    const failures: unknown[] = [];
    const call = async (): Promise<void> => {
      while (!isOver) {
        const said = await say(client);
        if (said.text === 'productpage') served++;
        else failures.push(said);
      }
    };
    const callers = Array.from({ length: 10 }, call);
    await until(() => served > 300);
    await other.close();
    const before = served;
    await until(() => served > before + 300);
    isOver = true;
    await Promise.all(callers);
    expect(failures).toEqual([]);
  });

  const openChat = async (setting: GrpcSetting) => {
    const session = http2Session(await secure(setting, setting.caller, ['h2']));
    const last: number[] = [];
    session.on('goaway', (_, lastStream) => last.push(lastStream));
    const headers = {
      ':method': 'POST',
      ':path': '/test.Echo/Chat',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request(headers);
    let text = '';
    stream.on('data', (part: Buffer) => {
      text += part.toString('latin1');
    });
    const write = (said: string): void => {
      stream.write(Buffer.concat([Buffer.from([0, 0, 0, 0, said.length]), Buffer.from(said)]));
    };
    write('first');
    await until(() => text.includes('first'));
    return { stream, last, write, heard: () => text };
  };

  it('GOAWAY comes first for all streams, so that none on its way is refused (RFC 9113 §6.8)', async () => {
    const setting = await start('STRICT');
    const { stream, last, write, heard } = await openChat(setting);
    const closed = setting.guarded.close();
    await until(() => last.length > 0);
    expect(last[0]).toBe(2 ** 31 - 1);
    write('second');
    await until(() => heard().includes('second'));
    stream.end();
    await closed;
  });

  it('the age of a connection ends no stream', async () => {
    const setting = await start('STRICT');
    setting.mode('STRICT', { maxConnectionDurationMs: 50 });
    const { stream, last, write, heard } = await openChat(setting);
    await until(() => last.length > 0);
    write('second');
    await until(() => heard().includes('second'));
    stream.end();
    await until(() => setting.guarded.stats().connections === 0);
  });
});
