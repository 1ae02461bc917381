import http2, { type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { toCluster } from '../../../test/harness/xds-resources.ts';
import { Echo, type EchoClient, STATUS_OF_HTTP, told } from './peer.fixture.ts';

/** Servers that do what a library of gRPC would not: each call ends at once, with a status that says what was wrong. */

let test: TestMesh;
const ends: (() => void)[] = [];
beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
});
afterEach(async () => {
  await test[Symbol.asyncDispose]();
  for (const end of ends.splice(0)) end();
});

type OnStream = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders, number: number) => void;

async function serve(onStream: OnStream, more?: (session: http2.ServerHttp2Session) => void): Promise<number> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  let streams = 0;
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    more?.(session);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    onStream(stream, headers, ++streams);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function clientOf(port: number, ...list: Parameters<TestMesh['host']>[2][]): EchoClient {
  test.host('echo:80', port, ...list);
  const client = new Echo('echo:80', grpc.credentials.createInsecure(), test.mesh.grpc());
  ends.push(() => client.close());
  return client;
}

const HEAD: OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc' };
const HELLO = Buffer.from('hello');

const frame = (message: Buffer, flag = 0): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

function answer(stream: ServerHttp2Stream, body: Buffer, trailers: OutgoingHttpHeaders | undefined, head = HEAD): void {
  stream.respond(head, { waitForTrailers: trailers !== undefined });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

/** SETTINGS; and when a request has come, GOAWAY that names no stream as looked at (RFC 9113 §6.8). */
function leaveUnseen(socket: Socket): void {
  const [settings, goaway] = ['000000040000000000', '0000080700000000000000000000000000'];
  socket.on('error', () => {}).write(Buffer.from(settings, 'hex'));
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    if (heard.includes('application/grpc') || heard.includes('te')) socket.write(Buffer.from(goaway, 'hex'));
  });
}

const unary = (client: EchoClient, message = HELLO) =>
  told((done) => client.unary(message, new grpc.Metadata(), { deadline: Date.now() + 15_000 }, done));

const { status } = grpc;

describe('an HTTP status that is no answer of gRPC', () => {
  it.each([...STATUS_OF_HTTP, [302, status.UNKNOWN] as const])('%i is status %i', async (code, expected) => {
    const port = await serve((stream) => answer(stream, Buffer.from('<html>'), undefined, { ':status': code }));
    const { error } = await unary(clientOf(port));
    expect(error).toMatchObject({ code: expected, details: expect.stringContaining(String(code)) });
  });

  it('200 of something else is UNKNOWN and names what came', async () => {
    const head = { ':status': 200, 'content-type': 'text/html' };
    const port = await serve((stream) => answer(stream, Buffer.from('<html>'), undefined, head));
    expect((await unary(clientOf(port))).error).toMatchObject({
      code: status.UNKNOWN,
      details: expect.stringContaining('text/html'),
    });
  });
});

describe('RST_STREAM', () => {
  it.each([
    [0, status.INTERNAL],
    [1, status.INTERNAL],
    [2, status.INTERNAL],
    [3, status.INTERNAL],
    [8, status.CANCELLED],
    [11, status.RESOURCE_EXHAUSTED],
    [12, status.PERMISSION_DENIED],
  ])('with code %i before the head is status %i', async (code, expected) => {
    const port = await serve((stream) => stream.close(code));
    expect((await unary(clientOf(port))).error?.code).toBe(expected);
  });

  it('with code 8 in the middle of an answer is CANCELLED', async () => {
    const port = await serve((stream) => {
      stream.respond(HEAD);
      stream.write(frame(HELLO), () => stream.close(8));
    });
    expect((await unary(clientOf(port))).error?.code).toBe(status.CANCELLED);
  });

  it('that refuses a stream has it sent again, once, though no policy says so', async () => {
    let tries = 0;
    const port = await serve((stream, _, number) => {
      tries = number;
      if (number === 1) stream.close(7);
      else answer(stream, frame(HELLO), { 'grpc-status': 0 });
    });
    expect(String((await unary(clientOf(port))).value)).toBe('hello');
    expect(tries).toBe(2);
  });

  it('that refuses a stream of messages has those sent again that have gone', async () => {
    const heard: string[] = [];
    const port = await serve((stream, _, number) => {
      if (number === 1) {
        stream.once('data', () => stream.close(7));
        return;
      }
      stream.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')));
      stream.on('end', () => answer(stream, frame(HELLO), { 'grpc-status': 0 }));
    });
    const client = clientOf(port);
    const { value } = await told((done) => {
      const call = client.collect(done);
      call.write(Buffer.from('one'));
      call.write(Buffer.from('two'), () => call.end());
      return call;
    });
    expect(String(value)).toBe('hello');
    expect(heard.join('')).toBe(
      frame(Buffer.from('one')).toString('latin1') + frame(Buffer.from('two')).toString('latin1'),
    );
  });

  it('that refuses every stream is UNAVAILABLE', async () => {
    let tries = 0;
    const port = await serve((stream, _, number) => {
      tries = number;
      stream.close(7);
    });
    expect((await unary(clientOf(port))).error?.code).toBe(status.UNAVAILABLE);
    expect(tries).toBe(2);
  });
});

describe('a connection', () => {
  it('that goes away before it has looked at a call has it sent again on another one', async () => {
    const behind = http2.createServer();
    behind.on('stream', (stream) => answer(stream, frame(HELLO), { 'grpc-status': 0 }));
    let connections = 0;
    const server = createServer((socket: Socket) => {
      if (++connections > 1) behind.emit('connection', socket);
      else leaveUnseen(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => server.close());
    expect(String((await unary(clientOf((server.address() as AddressInfo).port))).value)).toBe('hello');
    expect(connections).toBe(2);
  });

  it('that breaks under a call a server has seen is UNAVAILABLE: it is not sent again', async () => {
    let tries = 0;
    const port = await serve((stream, _, number) => {
      tries = number;
      stream.session?.destroy();
    });
    expect((await unary(clientOf(port))).error?.code).toBe(status.UNAVAILABLE);
    expect(tries).toBe(1);
  });

  it('that breaks while it was idle before the call does not have the call twice either', async () => {
    let tries = 0;
    const port = await serve((stream, _, number) => {
      tries = number;
      if (number === 1) answer(stream, frame(HELLO), { 'grpc-status': 0 });
      else stream.session?.destroy();
    });
    const client = clientOf(port);
    await unary(client);
    expect((await unary(client)).error?.code).toBe(status.UNAVAILABLE);
    expect(tries).toBe(2);
  });

  it('that speaks no HTTP/2 is UNAVAILABLE', async () => {
    const server = createServer((socket: Socket) =>
      socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => server.close());
    const { error } = await unary(clientOf((server.address() as AddressInfo).port));
    expect([status.UNAVAILABLE, status.INTERNAL]).toContain(error?.code);
  });
});

describe('an answer', () => {
  it.each([
    ['without a status', undefined, status.INTERNAL],
    ['with a status that is no number', { 'grpc-status': 'abc' }, status.UNKNOWN],
    ['with a status that is none of the 17', { 'grpc-status': '99' }, status.UNKNOWN],
  ])('%s ends with status', async (_, trailers, expected) => {
    const port = await serve((stream) => answer(stream, frame(HELLO), trailers));
    expect((await unary(clientOf(port))).error?.code).toBe(expected);
  });

  it('with a message in broken percent-encoding has it as it came', async () => {
    const port = await serve((stream) =>
      answer(stream, Buffer.alloc(0), { 'grpc-status': 3, 'grpc-message': 'a%zz%' }),
    );
    expect((await unary(clientOf(port))).error).toMatchObject({ code: 3, details: 'a%zz%' });
  });

  it('whose head is its end has the metadata in its status', async () => {
    const head = { ...HEAD, 'grpc-status': 5, 'grpc-message': 'no%20such', 'x-why': 'gone' };
    const port = await serve((stream) => stream.respond(head, { endStream: true }));
    const { error, metadata } = await unary(clientOf(port));
    expect(error).toMatchObject({ code: 5, details: 'no such' });
    expect(error?.metadata.get('x-why')).toEqual(['gone']);
    expect(metadata).toBeUndefined();
  });

  it.each([
    ['that claims 4 GiB', Buffer.from([0, 255, 255, 255, 255, 1]), status.RESOURCE_EXHAUSTED],
    ['that is compressed though nothing was announced', frame(gzipSync(HELLO), 1), status.INTERNAL],
    ['with a flag that is none', frame(HELLO, 7), status.INTERNAL],
    ['that breaks off', frame(HELLO).subarray(0, 7), status.INTERNAL],
    ['twice', Buffer.concat([frame(HELLO), frame(HELLO)]), status.UNIMPLEMENTED],
    ['not at all', Buffer.alloc(0), status.UNIMPLEMENTED],
  ])('with a message %s ends at once', async (_, body, expected) => {
    const port = await serve((stream) => answer(stream, body, { 'grpc-status': 0 }));
    expect((await unary(clientOf(port))).error?.code).toBe(expected);
  });

  it('in an encoding that was not offered is UNIMPLEMENTED', async () => {
    const head = { ...HEAD, 'grpc-encoding': 'snappy' };
    const port = await serve((stream) => answer(stream, frame(HELLO, 1), { 'grpc-status': 0 }, head));
    expect((await unary(clientOf(port))).error).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringContaining('snappy'),
    });
  });

  it('compressed is unpacked; one that would become larger than the limit is refused while it is', async () => {
    const head = { ...HEAD, 'grpc-encoding': 'gzip' };
    const large = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const port = await serve((stream, _, number) => {
      const message = number === 1 ? gzipSync(HELLO) : large;
      answer(stream, frame(message, 1), { 'grpc-status': 0 }, head);
    });
    const client = clientOf(port);
    expect(String((await unary(client)).value)).toBe('hello');
    expect((await unary(client)).error?.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('of several messages at once is a stream to who asks for the first in the turn of the call', async () => {
    const all = Buffer.concat(['a', 'b', 'c'].map((text) => frame(Buffer.from(text))));
    const client = clientOf(await serve((stream) => answer(stream, all, { 'grpc-status': 0 })));
    const parts: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      for await (const part of client.spread(HELLO)) parts.push(String(part));
      for await (const part of client.chat()) parts.push(String(part));
    }
    expect(parts.join('')).toBe('abcabcabcabc');
  });

  it('comes byte by byte as well', async () => {
    const port = await serve((stream) => {
      stream.respond(HEAD, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
      const bytes = [...frame(HELLO)];
      const next = (): void => {
        const byte = bytes.shift();
        if (byte === undefined) stream.end();
        else stream.write(Buffer.from([byte]), () => setImmediate(next));
      };
      next();
    });
    expect(String((await unary(clientOf(port))).value)).toBe('hello');
  });
});

describe('a retry', () => {
  const retrying = (cluster: string): Parameters<TestMesh['host']>[2] => {
    const route = toCluster(cluster);
    const policy = {
      retryOn: 'unavailable',
      numRetries: 2,
      retryBackOff: { baseInterval: { nanos: 1_000_000 } },
    };
    const { value } = route.action as { value: object };
    return { ...route, action: { case: 'route', value: { ...value, retryPolicy: policy } } } as never;
  };

  const failing =
    (pushback?: string): OnStream =>
    (stream, _, number) => {
      if (number > 1) return answer(stream, frame(Buffer.from(String(number))), { 'grpc-status': 0 });
      const more = pushback === undefined ? {} : { 'grpc-retry-pushback-ms': pushback };
      stream.respond({ ...HEAD, 'grpc-status': 14, ...more }, { endStream: true });
    };

  it('follows the words of the route', async () => {
    const port = await serve(failing());
    expect(String((await unary(clientOf(port, retrying('outbound|echo:80')))).value)).toBe('2');
  });

  it('waits as long as the server says', async () => {
    const port = await serve(failing('300'));
    const startMs = performance.now();
    expect(String((await unary(clientOf(port, retrying('outbound|echo:80')))).value)).toBe('2');
    expect(performance.now() - startMs).toBeGreaterThan(290);
  });

  it.each(['-1', 'never'])('is left out where the server says so: %s', async (pushback) => {
    const port = await serve(failing(pushback));
    expect((await unary(clientOf(port, retrying('outbound|echo:80')))).error?.code).toBe(status.UNAVAILABLE);
  });

  it('is left out where the application switches it off by grpc.enable_retries', async () => {
    const port = await serve(failing());
    clientOf(port, retrying('outbound|echo:80'));
    const client = new Echo('echo:80', grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      ...test.mesh.grpc(),
    });
    expect((await unary(client)).error?.code).toBe(status.UNAVAILABLE);
    client.close();
  });
});
