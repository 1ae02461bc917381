import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { createMesh } from '../mesh.ts';
import { Echo, type EchoClient, type GrpcPeer, type Handlers, servePeer, told } from './peer.fixture.ts';

type Unary = grpc.handleUnaryCall<Buffer, Buffer>;

let test: TestMesh;
const opened: { close(): void }[] = [];
beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await test[Symbol.asyncDispose]();
});

async function echo(
  handlers: Handlers = {},
  options: grpc.ClientOptions = {},
): Promise<EchoClient & { peer: GrpcPeer }> {
  const peer = await servePeer(handlers);
  test.host('echo:80', peer.port);
  const client = new Echo('echo:80', grpc.credentials.createInsecure(), { ...options, ...test.mesh.grpc() });
  opened.push(client, peer);
  return Object.assign(client, { peer });
}

const HELLO = Buffer.from('hello');
const handle = (unary: Unary): Handlers => ({ unary });

describe('a unary call', () => {
  it('is answered through the mesh, over HTTP/2 though the cluster speaks HTTP/1.1', async () => {
    const client = await echo();
    const { value, status } = await told((done) => client.unary(HELLO, done));
    expect(status).toMatchObject({ code: 0, details: 'OK' });
    expect(String(value)).toBe('hello');
  });

  it('carries metadata both ways: repeated, binary, in headers and in trailers', async () => {
    let heard: grpc.Metadata | undefined;
    const client = await echo(
      handle((call, done) => {
        heard = call.metadata;
        const head = new grpc.Metadata();
        head.add('head', 'one');
        head.add('head', 'two');
        call.sendMetadata(head);
        const trailer = new grpc.Metadata();
        trailer.add('trail-bin', Buffer.from([0, 255]));
        done(null, call.request, trailer);
      }),
    );
    const metadata = new grpc.Metadata();
    metadata.add('x-key', 'a');
    metadata.add('x-key', 'b');
    metadata.add('x-raw-bin', Buffer.from([1, 2, 250]));
    const { metadata: head, status } = await told((done) => client.unary(HELLO, metadata, done));
    expect(heard?.get('x-key')).toEqual(['a, b']);
    expect(heard?.get('x-raw-bin')).toEqual([Buffer.from([1, 2, 250])]);
    expect(heard?.get('user-agent')[0]).toMatch(/^grpc-inmesh\//);
    expect(head?.get('head').join()).toMatch(/one, ?two/);
    expect(status.metadata.get('trail-bin')).toEqual([Buffer.from([0, 255])]);
    expect(status.metadata.get('grpc-status')).toEqual([]);
  });

  it('has the status of the server, message and details unharmed', async () => {
    const details = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
    const client = await echo(handle((_, done) => done({ code: grpc.status.NOT_FOUND, details })));
    const { error } = await told((done) => client.unary(HELLO, done));
    expect(error).toMatchObject({ code: grpc.status.NOT_FOUND, details });
  });

  it('to a method that is not there is UNIMPLEMENTED', async () => {
    const client = await echo();
    const asIs = (bytes: Buffer): Buffer => bytes;
    const { error } = await told((done) => client.makeUnaryRequest('/test.Echo/Nothing', asIs, asIs, HELLO, done));
    expect(error?.code).toBe(grpc.status.UNIMPLEMENTED);
  });

  it('past its deadline is DEADLINE_EXCEEDED, and the server is told of the deadline and of the end', async () => {
    let deadline: grpc.Deadline = 0;
    const cancelled = Promise.withResolvers<void>();
    const client = await echo(
      handle((call) => {
        deadline = call.getDeadline();
        call.on('cancelled', () => cancelled.resolve());
      }),
    );
    const until = Date.now() + 300;
    const { error } = await told((done) => client.unary(HELLO, new grpc.Metadata(), { deadline: until }, done));
    expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await cancelled.promise;
    expect(Number(deadline)).toBeLessThan(Date.now() + 300);
  });

  it('whose deadline is over before it begins never leaves', async () => {
    const client = await echo();
    const { error } = await told((done) =>
      client.unary(HELLO, new grpc.Metadata(), { deadline: Date.now() - 1 }, done),
    );
    expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
  });

  it('that is cancelled ends at once, and the server hears of it', async () => {
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const client = await echo(
      handle((call) => {
        call.on('cancelled', () => cancelled.resolve());
        begun.resolve();
      }),
    );
    const result = told((done) => {
      const call = client.unary(HELLO, done);
      void begun.promise.then(() => call.cancel());
      return call;
    });
    expect((await result).error?.code).toBe(grpc.status.CANCELLED);
    await cancelled.promise;
  });

  it('that is cancelled before it began does not begin', async () => {
    let calls = 0;
    const client = await echo(handle((_, done) => done(null, Buffer.from(String(++calls)))));
    const result = told((done) => {
      const call = client.unary(HELLO, done);
      call.cancel();
      return call;
    });
    expect((await result).error?.code).toBe(grpc.status.CANCELLED);
    expect(calls).toBe(0);
  });

  it('has interceptors, which see its messages and its status', async () => {
    const seen: string[] = [];
    const interceptor: grpc.Interceptor = (options, next) =>
      new grpc.InterceptingCall(next(options), {
        start: (metadata, _listener, go) => {
          metadata.set('x-by', 'interceptor');
          go(metadata, {
            onReceiveStatus: (status, pass) => {
              seen.push(`status ${status.code}`);
              pass(status);
            },
          });
        },
        sendMessage: (message, go) => {
          seen.push(String(message));
          go(Buffer.from('changed'));
        },
      });
    const client = await echo(
      handle((call, done) => done(null, Buffer.from(String(call.metadata.get('x-by'))))),
      {
        interceptors: [interceptor],
      },
    );
    const { value } = await told((done) => client.unary(HELLO, done));
    expect(String(value)).toBe('interceptor');
    expect(seen).toEqual(['hello', 'status 0']);
  });

  it('has the metadata of its call credentials; what they fail with is UNAVAILABLE', async () => {
    const client = await echo(
      handle((call, done) => done(null, Buffer.from(String(call.metadata.get('authorization'))))),
    );
    const asked: object[] = [];
    const token = grpc.credentials.createFromMetadataGenerator((options, done) => {
      asked.push(options);
      const metadata = new grpc.Metadata();
      metadata.set('authorization', 'Bearer it');
      done(null, metadata);
    });
    const broken = grpc.credentials.createFromMetadataGenerator((_, done) => done(new Error('no token')));
    const with_ = (credentials: grpc.CallCredentials) =>
      told((done) => client.unary(HELLO, new grpc.Metadata(), { credentials }, done));
    expect(String((await with_(token)).value)).toBe('Bearer it');
    expect(asked).toEqual([{ method_name: 'Unary', service_url: 'https://echo/test.Echo' }]);
    const { error } = await with_(broken);
    expect(error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: expect.stringContaining('no token') });
  });

  it('names its peer once it has answered', async () => {
    const client = await echo();
    let call: grpc.ClientUnaryCall | undefined;
    await told((done) => {
      call = client.unary(HELLO, done);
      return call;
    });
    expect(call?.getPeer()).toBe(`127.0.0.1:${client.peer.port}`);
    expect(call?.getAuthContext()).toEqual({});
  });
});

describe('the size of a message', () => {
  const RECEIVE = 'grpc.max_receive_message_length';

  it('is limited to 4 MiB of an answer, and to what the channel is told', async () => {
    const client = await echo(handle((call, done) => done(null, Buffer.alloc(Number(String(call.request))))));
    const size = (bytes: number) => told((done) => client.unary(Buffer.from(String(bytes)), done));
    expect((await size(4 * 1024 * 1024)).value?.length).toBe(4 * 1024 * 1024);
    expect((await size(4 * 1024 * 1024 + 1)).error?.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    const wide = new Echo('echo:80', grpc.credentials.createInsecure(), { [RECEIVE]: -1, ...test.mesh.grpc() });
    opened.push(wide);
    const large = await told((done) => wide.unary(Buffer.from(String(5_000_000)), done));
    expect(large.value?.length).toBe(5_000_000);
  });

  it('is limited for what is sent where the channel is told so', async () => {
    const client = await echo({}, { 'grpc.max_send_message_length': 4 });
    const { error } = await told((done) => client.unary(HELLO, done));
    expect(error).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: expect.stringContaining('5 vs 4') });
  });
});

describe('compression', () => {
  const text = Buffer.from('again and '.repeat(1000));

  it.each([
    ['deflate', 1],
    ['gzip', 2],
  ])('%s is understood by the server', async (_, algorithm) => {
    const client = await echo({}, { 'grpc.default_compression_algorithm': algorithm });
    const { value } = await told((done) => client.unary(text, done));
    expect(value).toEqual(text);
  });
});

describe('what the mesh answers itself', () => {
  it('is UNAVAILABLE for a host without an endpoint, unless the call waits until there is one', async () => {
    const client = await echo();
    const none = new Echo('none:80', grpc.credentials.createInsecure(), test.mesh.grpc());
    opened.push(none);
    test.host('none:80', 1);
    const { error } = await told((done) => none.unary(HELLO, done));
    expect(error?.code).toBe(grpc.status.UNAVAILABLE);
    const waiting = new grpc.Metadata({ waitForReady: true });
    const later = told((done) => none.unary(HELLO, waiting, { deadline: Date.now() + 15_000 }, done));
    test.host('none:80', client.peer.port);
    expect(String((await later).value)).toBe('hello');
  });

  it('ends a call that waits for somebody in vain at its deadline', async () => {
    test.host('none:80', 1);
    const none = new Echo('none:80', grpc.credentials.createInsecure(), test.mesh.grpc());
    opened.push(none);
    const startMs = performance.now();
    const waiting = new grpc.Metadata({ waitForReady: true });
    const { error } = await told((done) => none.unary(HELLO, waiting, { deadline: Date.now() + 250 }, done));
    expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    expect(performance.now() - startMs).toBeGreaterThan(200);
  });

  it('refuses nothing it could say: a host under REGISTRY_ONLY that is none of the mesh is UNAVAILABLE', async () => {
    const only = await startTestMesh((_, response) => response.end(), { outboundPolicy: 'REGISTRY_ONLY' });
    const client = only.mesh.client(Echo, 'elsewhere.example:80');
    const { error } = await told((done) => client.unary(HELLO, done));
    expect(error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: expect.stringContaining('MESH_BLOCKED') });
    client.close();
    await only[Symbol.asyncDispose]();
  });

  it('is TLS of the caller where the credentials are: never in clear to a server that speaks none', async () => {
    const client = await echo();
    test.host('tls:443', client.peer.port);
    const secure = new Echo('tls:443', grpc.credentials.createSsl(), test.mesh.grpc());
    opened.push(secure);
    const { error } = await told((done) => secure.unary(HELLO, done));
    expect(error).toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('MESH_CONNECT_FAILED'),
    });
  });

  it('is nothing where the mesh is off: grpc-js calls by itself', async () => {
    const { peer } = await echo();
    await using off = createMesh({}, { env: {} });
    const client = new Echo(`localhost:${peer.port}`, grpc.credentials.createInsecure(), off.grpc());
    opened.push(client);
    expect(String((await told((done) => client.unary(HELLO, done))).value)).toBe('hello');
  });

  it('leaves a host that is none of the mesh to grpc-js itself', async () => {
    const client = await echo(handle((call, done) => done(null, Buffer.from(String(call.metadata.get('user-agent'))))));
    const direct = new Echo(`127.0.0.1:${client.peer.port}`, grpc.credentials.createInsecure(), test.mesh.grpc());
    opened.push(direct);
    const { value } = await told((done) => direct.unary(HELLO, done));
    expect(String(value)).toMatch(/^grpc-node-js\//);
  });
});

describe('a channel', () => {
  it('is idle, then ready; closed it takes no call', async () => {
    const client = await echo();
    const channel = client.getChannel();
    expect(channel.getTarget()).toBe('echo:80');
    expect(channel.getConnectivityState(false)).toBe(grpc.connectivityState.IDLE);
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 15_000, (error) => (error ? reject(error) : resolve())),
    );
    expect(channel.getConnectivityState(false)).toBe(grpc.connectivityState.READY);
    expect(channel.getChannelzRef()).toMatchObject({ kind: 'channel', name: 'echo:80' });
    channel.close();
    expect(channel.getConnectivityState(false)).toBe(grpc.connectivityState.SHUTDOWN);
    expect(() => client.unary(HELLO, () => {})).toThrow('shut down');
  });

  it('is made by mesh.client and mesh.channel too', async () => {
    const client = await echo();
    const one = test.mesh.client(Echo, 'echo:80');
    const two = new Echo('echo:80', grpc.credentials.createInsecure(), {
      channelOverride: test.mesh.channel('dns:///echo:80') as unknown as grpc.Channel,
    });
    opened.push(one, two);
    for (const each of [client, one, two]) {
      expect(String((await told((done) => each.unary(HELLO, done))).value)).toBe('hello');
    }
  });

  it.each([
    ['echo:80/path', 'is no target'],
    ['', 'is no target'],
    ['http://echo:80', 'is no target'],
  ])('to "%s" is refused when it is made', (target, why) => {
    expect(() => test.mesh.channel(target)).toThrow(why);
  });
});
