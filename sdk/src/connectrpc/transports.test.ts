import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assignment, startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { cluster, listener, type RouteInit, routes, toCluster } from '../../../test/harness/xds-resources.ts';
import { systemClock } from '../clock.ts';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '../connectrpc-entry.ts';
import { MeshError } from '../errors.ts';
import { createMesh } from '../mesh.ts';
import type { MeshEvent } from '../model/events.ts';
import { propagationStore } from '../propagation/store.ts';
import { Echo, type EchoImpl, type EchoPeer, serveEcho, untilAborted } from './echo.fixture.ts';

type Options = Omit<Parameters<typeof createConnectTransport>[0], 'baseUrl'>;
type Version = '1.1' | '2';

interface Way {
  readonly name: string;
  readonly version: Version;
  make(baseUrl: string, options: Options): Transport;
}

const WAYS: readonly Way[] = [
  {
    name: 'Connect by HTTP/1.1',
    version: '1.1',
    make: (baseUrl, options) => createConnectTransport({ baseUrl, ...options }),
  },
  {
    name: 'Connect by HTTP/2',
    version: '2',
    make: (baseUrl, options) => createConnectTransport({ baseUrl, httpVersion: '2', ...options }),
  },
  { name: 'gRPC', version: '2', make: (baseUrl, options) => createGrpcTransport({ baseUrl, ...options }) },
  {
    name: 'gRPC-web by HTTP/1.1',
    version: '1.1',
    make: (baseUrl, options) => createGrpcWebTransport({ baseUrl, ...options }),
  },
  {
    name: 'gRPC-web by HTTP/2',
    version: '2',
    make: (baseUrl, options) => createGrpcWebTransport({ baseUrl, httpVersion: '2', ...options }),
  },
];

let test: TestMesh;
const opened: { close(): void }[] = [];
beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await test[Symbol.asyncDispose]();
});

async function serve(version: Version, methods: EchoImpl): Promise<EchoPeer> {
  const peer = await serveEcho(version, methods);
  opened.push(peer);
  return peer;
}

async function collected(messages: AsyncIterable<{ readonly value: string }>): Promise<string[]> {
  const list: string[] = [];
  for await (const { value } of messages) list.push(value);
  return list;
}

async function* said(...values: string[]) {
  for (const value of values) yield { value };
}

/** Its cluster speaks what the server does. */
function host(target: string, { port }: EchoPeer, version: Version, ...list: RouteInit[]): void {
  const name = `outbound|${target}`;
  test.ads.set(name, cluster(name, version === '2' ? { http2ProtocolOptions: {} } : {}));
  test.ads.set(name, assignment(name, port));
  test.ads.set(name, routes(name, ...(list.length > 0 ? list : [toCluster(name)])));
  test.ads.set(target, listener(target, name));
}

const failureOf = async (call: Promise<unknown>): Promise<ConnectError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw new Error(`no ConnectError but ${error}`);
};

describe.each(WAYS)('$name', ({ version, make }) => {
  const client = async (methods: EchoImpl = {}, options: Options = {}) => {
    const peer = await serve(version, methods);
    host('echo:80', peer, version);
    const transport = make('http://echo', { mesh: test.mesh, ...options });
    return Object.assign(createClient(Echo, transport), { peer });
  };

  it('a call of one message, with headers and trailers both ways', async () => {
    const echo = await client({
      say({ value }, { requestHeader, responseHeader, responseTrailer }) {
        responseHeader.set('x-head', requestHeader.get('x-key') ?? '');
        responseTrailer.set('x-trail', 'end');
        return { value: `${value}!` };
      },
    });
    let head: Headers | undefined;
    let trail: Headers | undefined;
    const answer = await echo.say(
      { value: 'hello' },
      {
        headers: { 'x-key': 'a' },
        onHeader: (headers) => {
          head = headers;
        },
        onTrailer: (headers) => {
          trail = headers;
        },
      },
    );
    expect([answer.value, head?.get('x-head'), trail?.get('x-trail')]).toEqual(['hello!', 'a', 'end']);
    expect(echo.peer.requests).toEqual([`${version === '2' ? '2.0' : '1.1'} POST`]);
  });

  it('an error of the server comes as it was said: code, message, metadata and details', async () => {
    const echo = await client({
      say() {
        const detail = { desc: StringValueSchema, value: { value: 'why' } };
        throw new ConnectError('no ☺', Code.FailedPrecondition, { 'x-more': 'm' }, [detail]);
      },
    });
    const error = await failureOf(echo.say({ value: '' }));
    expect(error).toMatchObject({ code: Code.FailedPrecondition, rawMessage: 'no ☺' });
    expect(error.metadata.get('x-more')).toBe('m');
    expect(error.findDetails(StringValueSchema).map(({ value }) => value)).toEqual(['why']);
  });

  it('streams of the client and of the server', async () => {
    const echo = await client();
    expect((await echo.collect(said('a', 'b', 'c'))).value).toBe('abc');
    expect(await collected(echo.spread({ value: 'xyz' }))).toEqual(['x', 'y', 'z']);
  });

  it.skipIf(version === '1.1')('a stream both ways, message by message', async () => {
    const echo = await client();
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    async function* words() {
      yield { value: 'ping' };
      await heard;
      yield { value: 'pong' };
    }
    const list: string[] = [];
    for await (const { value } of echo.chat(words())) {
      list.push(value);
      resolve();
    }
    expect(list).toEqual(['ping', 'pong']);
  });

  it('an error in the midst of a stream comes after the messages before it', async () => {
    const echo = await client({
      async *spread() {
        yield { value: 'one' };
        throw new ConnectError('broken', Code.DataLoss);
      },
    });
    const list: string[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { value } of echo.spread({ value: '' })) list.push(value);
      })(),
    );
    expect([list, error.code]).toEqual([['one'], Code.DataLoss]);
  });

  it('a deadline ends the call here, and the server knows of it', async () => {
    let told = false;
    const echo = await client({
      say: (_, context) => {
        told = context.timeoutMs() !== undefined;
        return untilAborted(context);
      },
    });
    const error = await failureOf(echo.say({ value: '' }, { timeoutMs: 300 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(told).toBe(true);
    await expect.poll(() => echo.peer.aborted, { timeout: 30_000 }).toEqual(['Say']);
  });

  it('the server is told no more time than the request has that the call is made for', async () => {
    const echo = await client({ say: (_, { timeoutMs }) => ({ value: String(timeoutMs()) }) });
    const inbound = { headers: [], dueMs: systemClock.now() + 50_000, sourceIp: undefined };
    for (const options of [{}, { timeoutMs: 90_000 }]) {
      const { value } = await propagationStore().run(inbound, () => echo.say({ value: '' }, options));
      expect(Number(value)).toBeGreaterThan(0);
      expect(Number(value)).toBeLessThanOrEqual(50_000);
    }
  });

  it('a cancelled call stops the server, whether one message or a stream', async () => {
    const echo = await client({
      say: (_, context) => untilAborted(context),
      async *spread(_, context) {
        yield { value: 'first' };
        await untilAborted(context);
      },
    });
    const [one, other] = [new AbortController(), new AbortController()];
    const call = failureOf(echo.say({ value: '' }, { signal: one.signal }));
    await expect.poll(() => echo.peer.requests.length, { timeout: 30_000 }).toBe(1);
    one.abort();
    expect((await call).code).toBe(Code.Canceled);
    const stream = failureOf(
      (async () => {
        for await (const _ of echo.spread({ value: '' }, { signal: other.signal })) other.abort();
      })(),
    );
    expect((await stream).code).toBe(Code.Canceled);
    await expect.poll(() => [...echo.peer.aborted].sort(), { timeout: 30_000 }).toEqual(['Say', 'Spread']);
  });

  it('large messages, packed and not', async () => {
    const value = 'x'.repeat(3_000_000);
    const echo = await client({}, { sendCompression: compressionGzip });
    expect((await echo.say({ value })).value.length).toBe(value.length);
    const plain = await client({}, { acceptCompression: [] });
    expect((await plain.collect(said(value, value))).value.length).toBe(2 * value.length);
    const limited = await client({}, { readMaxBytes: 1_000, acceptCompression: [] });
    expect((await failureOf(limited.say({ value }))).code).toBe(Code.ResourceExhausted);
  });

  it('JSON', async () => {
    const echo = await client({}, { useBinaryFormat: false });
    expect((await echo.say({ value: 'text' })).value).toBe('text');
  });

  it('routes, counts and tells of it as of any other call of the mesh', async () => {
    const events: MeshEvent[] = [];
    test.mesh.on((event) => events.push(event));
    const other = await serve(version, { say: () => ({ value: 'other' }) });
    const echo = await client({ say: () => ({ value: 'default' }) });
    host('other:80', other, version);
    const match = {
      pathSpecifier: { case: 'path', value: '/test.Echo/Say' },
      headers: [{ name: 'x-user', headerMatchSpecifier: { case: 'stringMatch', value: EXACT_JASON } }],
    };
    const named = { ...toCluster('outbound|other:80'), match } as RouteInit;
    host('echo:80', echo.peer, version, named, toCluster('outbound|echo:80'));
    expect((await echo.say({ value: '' })).value).toBe('default');
    expect((await echo.say({ value: '' }, { headers: { 'x-user': 'jason' } })).value).toBe('other');
    await expect
      .poll(() => events.flatMap((event) => (event.kind === 'call' ? [event.story.cluster] : [])), { timeout: 30_000 })
      .toEqual(['outbound|echo:80', 'outbound|other:80']);
  });

  it('nobody there is UNAVAILABLE, and the cause says why', async () => {
    const echo = await client();
    echo.peer.close();
    const error = await failureOf(echo.say({ value: '' }));
    expect(error.code).toBe(Code.Unavailable);
    expect(error.cause).toBeInstanceOf(MeshError);
    expect(error.rawMessage).toMatch(/^\[MESH_/);
  });

  it("hosts that are none of the mesh's are called by connect-node's own client", async () => {
    const peer = await serve(version, {});
    const echo = createClient(Echo, make(`http://127.0.0.1:${peer.port}`, { mesh: test.mesh }));
    expect((await echo.say({ value: 'direct' })).value).toBe('direct');
    expect((await echo.collect(said('a', 'b'))).value).toBe('ab');
    const off = createMesh({}, { env: {} });
    const plain = createClient(Echo, make(`http://localhost:${peer.port}`, { mesh: off }));
    expect((await plain.say({ value: 'off' })).value).toBe('off');
    await off.close();
  });
});

const EXACT_JASON = { matchPattern: { case: 'exact', value: 'jason' } };

describe('createConnectTransport', () => {
  it('repeats by the retry policy what its schema or the caller calls idempotent', async () => {
    const seen = new Map<string, number>();
    const flaky = (name: string, value: string) => {
      seen.set(name, (seen.get(name) ?? 0) + 1);
      if (seen.get(name) === 1) throw new ConnectError('not now', Code.Unavailable);
      return { value };
    };
    const peer = await serve('1.1', {
      say: ({ value }) => flaky(value, value),
      look: ({ value }) => flaky(value, value),
    });
    const route = toCluster('outbound|echo:80');
    const value = { ...(route.action?.value as object), retryPolicy: { retryOn: '5xx', numRetries: 2 } };
    host('echo:80', peer, '1.1', { ...route, action: { case: 'route', value } } as never);
    const of = (policy: Options['policy'] = {}) =>
      createClient(Echo, createConnectTransport({ baseUrl: 'http://echo', mesh: test.mesh, policy }));
    expect((await failureOf(of().say({ value: 'once' }))).code).toBe(Code.Unavailable);
    expect((await of().look({ value: 'by schema' })).value).toBe('by schema');
    expect((await of({ idempotent: true }).say({ value: 'by policy' })).value).toBe('by policy');
    expect([...seen.values()]).toEqual([1, 2, 2]);
  });

  it('asks by GET where the method has no side effects and it is told to', async () => {
    const peer = await serve('1.1', {});
    host('echo:80', peer, '1.1');
    const transport = createConnectTransport({ baseUrl: 'http://echo', mesh: test.mesh, useHttpGet: true });
    expect((await createClient(Echo, transport).look({ value: 'got' })).value).toBe('got');
    expect(peer.requests).toEqual(['1.1 GET']);
  });

  it('says what is wrong with its options', () => {
    expect(() => createConnectTransport({ baseUrl: 'echo:80', mesh: test.mesh })).toThrow(/MESH_CONFIG_INVALID/);
    expect(() => createConnectTransport({ baseUrl: 'http://echo', mesh: {} as never })).toThrow(
      /no mesh of createMesh/,
    );
    expect(() => createConnectTransport({ baseUrl: 'http://echo', mesh: test.mesh, readMaxBytes: -1 })).toThrow();
    const policy = { timeoutMs: -1 };
    expect(() => createConnectTransport({ baseUrl: 'http://echo', mesh: test.mesh, policy })).toThrow(
      /policy.timeoutMs/,
    );
  });

  it('a host under REGISTRY_ONLY that nobody knows is UNAVAILABLE', async () => {
    const mesh = createMesh({ transport: test.ads.transport, outboundPolicy: 'REGISTRY_ONLY' }, { env: {} });
    opened.push({ close: () => void mesh.close() });
    const echo = createClient(Echo, createGrpcTransport({ baseUrl: 'http://nowhere', mesh }));
    expect((await failureOf(echo.say({ value: '' }, { timeoutMs: 20_000 }))).code).toBe(Code.Unavailable);
  });
});
