import { mkdtempSync } from 'node:fs';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { systemClock, systemRandom } from '../clock.ts';
import { createDiscovery, type Discovery } from '../discovery/discovery.ts';
import type { AdsMethod, AdsStatus } from '../discovery/transport.ts';
import type { MeshEvent } from '../model/events.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { createGrpcTransport } from './grpc-transport.ts';

/** Against the gRPC server that control planes in Node use, and against raw HTTP/2 where that one is too well-behaved. */

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (name: string) => ({
  path: `${PATH}/${name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});

type Stream = ServerDuplexStream<Buffer, Buffer>;
type Serve = (stream: Stream) => void;

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function grpcServer(serve: { delta?: Serve; sotw?: Serve }, address = '127.0.0.1:0') {
  const server = new Server();
  server.addService(
    {
      ...(serve.delta && { delta: method('DeltaAggregatedResources') }),
      ...(serve.sotw && { sotw: method('StreamAggregatedResources') }),
    },
    { ...serve },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const stop = () => server.forceShutdown();
  open.push(stop);
  return { server, port, stop };
}

/** The stream's life as a list of what came. */
function talk(server: string, adsMethod: AdsMethod = 'delta', maxMessageBytes?: number) {
  const heard: string[] = [];
  const closed = Promise.withResolvers<AdsStatus>();
  const transport = createGrpcTransport({ server, ...(maxMessageBytes !== undefined && { maxMessageBytes }) });
  const stream = transport.open(adsMethod, {
    opened: () => heard.push('opened'),
    message: (message) => heard.push(Buffer.from(message).toString()),
    close: (status) => {
      heard.push(`closed ${status.code}`);
      closed.resolve(status);
    },
  });
  open.push(() => stream.close());
  // The test runner keeps the process alive; a real application does so by `ref`.
  return { heard, stream, closed: closed.promise };
}

const echo: Serve = (stream) => {
  stream.on('data', (message: Buffer) => stream.write(message));
  stream.on('end', () => stream.end());
};

describe('against a gRPC server', () => {
  it('sends and receives messages, large ones across many frames', async () => {
    const { port } = await grpcServer({ delta: echo });
    const { heard, stream } = talk(`127.0.0.1:${port}`);
    const large = 'x'.repeat(3_000_000);
    stream.send(Buffer.from('one'));
    stream.send(Buffer.from(large));
    stream.send(new Uint8Array());
    await expect.poll(() => heard.length).toBe(4);
    expect(heard).toEqual(['opened', 'one', large, '']);
  });

  it.each(['unix:PATH', 'unix://PATH'])('connects to %s', async (form) => {
    const socket = path.join(mkdtempSync(path.join(tmpdir(), 'inmesh-')), 'xds.sock');
    await grpcServer({ sotw: echo }, `unix:${socket}`);
    const { heard, stream } = talk(form.replace('PATH', socket), 'sotw');
    stream.send(Buffer.from('hello'));
    await expect.poll(() => heard).toEqual(['opened', 'hello']);
  });

  it('tells the status of a trailers-only answer: an unknown method is UNIMPLEMENTED', async () => {
    const { port } = await grpcServer({ sotw: echo });
    const { closed } = talk(`127.0.0.1:${port}`, 'delta');
    expect(await closed).toMatchObject({ code: 12 });
  });

  it('tells the status and message of trailers, percent-decoded', async () => {
    const refuse: Serve = (stream) => {
      stream.write(Buffer.from('bye'));
      setImmediate(() => stream.emit('error', { code: 7, details: 'nö, not you', metadata: new Metadata() }));
    };
    const { port } = await grpcServer({ delta: refuse });
    const { closed, heard } = talk(`127.0.0.1:${port}`);
    expect(await closed).toEqual({ code: 7, message: 'nö, not you' });
    expect(heard).toEqual(['opened', 'bye', 'closed 7']);
  });

  it('refuses a message over the limit before it is read, and a refused port is UNAVAILABLE', async () => {
    const { port, stop } = await grpcServer({ delta: echo });
    const { closed, stream } = talk(`127.0.0.1:${port}`, 'delta', 1_000);
    stream.send(Buffer.alloc(1_001));
    expect(await closed).toMatchObject({ code: 8, message: expect.stringContaining('1000 bytes') });
    stop();
    expect(await talk(`127.0.0.1:${port}`).closed).toMatchObject({
      code: 14,
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('delivers what was sent before a close', async () => {
    const got: string[] = [];
    const { port } = await grpcServer({
      delta: (stream) => stream.on('data', (message: Buffer) => got.push(String(message))),
    });
    const { stream, heard } = talk(`127.0.0.1:${port}`);
    await expect.poll(() => heard).toEqual(['opened']);
    stream.send(Buffer.from('last words'));
    stream.close();
    await expect.poll(() => got).toEqual(['last words']);
    expect(heard).toEqual(['opened']);
  });
});

describe('against a hostile server', () => {
  async function http2Server(serve: (stream: http2.ServerHttp2Stream, session: http2.ServerHttp2Session) => void) {
    const server = http2.createServer();
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      if (stream.session && 'socket' in stream.session) serve(stream, stream.session as http2.ServerHttp2Session);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const grpc = { ':status': 200, 'content-type': 'application/grpc' };

  it('4 GiB claimed in a prefix cost nothing', async () => {
    const server = await http2Server((stream) => {
      stream.respond(grpc);
      stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    });
    expect(await talk(server).closed).toMatchObject({ code: 8 });
  });

  it('a compressed message is an error: no encoding was offered', async () => {
    const server = await http2Server((stream) => {
      stream.respond(grpc);
      stream.write(Buffer.from([1, 0, 0, 0, 1, 7]));
    });
    expect(await talk(server).closed).toMatchObject({ code: 13 });
  });

  it.each([
    [404, 12],
    [401, 16],
    [403, 7],
    [503, 14],
    [500, 2],
  ])('HTTP %i means gRPC %i', async (status, code) => {
    const server = await http2Server((stream) => {
      stream.respond({ ':status': status, 'content-type': 'text/html' });
      stream.end('<h1>sorry</h1>');
    });
    expect(await talk(server).closed).toMatchObject({ code });
  });

  it('an end without a status, also in the middle of a message, is UNAVAILABLE', async () => {
    const server = await http2Server((stream) => {
      stream.respond(grpc);
      stream.end(Buffer.from([0, 0, 0, 0, 9, 1]));
    });
    expect(await talk(server).closed).toMatchObject({
      code: 14,
      message: expect.stringContaining('middle of a message'),
    });
  });

  it.each([
    ['abc', 2],
    ['99', 2],
    ['-1', 2],
    ['5', 5],
  ])('grpc-status %s is %i', async (status, code) => {
    const server = await http2Server((stream) => {
      stream.respond(grpc, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': '%zz' }));
      stream.end();
    });
    expect(await talk(server).closed).toEqual({ code, message: '%zz' });
  });

  it.each([
    [7, 14],
    [8, 1],
    [11, 8],
    [2, 13],
  ])('RST_STREAM %i is %i', async (rst, code) => {
    const server = await http2Server((stream) => {
      stream.respond(grpc);
      setImmediate(() => stream.close(rst));
    });
    const status = await talk(server).closed;
    // node ends a stream reset with CANCEL without an error; both say that it is gone.
    expect([code, 14]).toContain(status.code);
  });

  it('a graceful GOAWAY lets the stream go on until the server ends it', async () => {
    const server = await http2Server((stream, session) => {
      stream.respond(grpc);
      session.goaway(0);
      setTimeout(() => stream.write(Buffer.from([0, 0, 0, 0, 1, 0x61])), 20);
      setTimeout(() => session.destroy(), 60);
    });
    const { heard, closed } = talk(server);
    expect(await closed).toMatchObject({ code: 14 });
    expect(heard).toEqual(['opened', 'a', 'closed 14']);
  });

  it('an abrupt GOAWAY names its code', async () => {
    const server = await http2Server((_stream, session) => session.goaway(2));
    expect(await talk(server).closed).toMatchObject({ code: 14 });
  });

  it.each(['HTTP/1.1 400 Bad Request\r\n\r\n', '\0\0\0', 'x'.repeat(100_000)])(
    'a server that speaks something else ends the stream (%#)',
    async (text) => {
      const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end(text);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      open.push(() => server.close());
      expect(await talk(`127.0.0.1:${(server.address() as AddressInfo).port}`).closed).toMatchObject({ code: 14 });
    },
  );
});

describe('discovery over the network', () => {
  function discover(server: string) {
    const events: MeshEvent[] = [];
    const told: string[] = [];
    const discovery: Discovery = createDiscovery({
      servers: [{ transport: createGrpcTransport({ server }) }],
      node: { id: 'n', cluster: 'c', metadata: {} },
      clock: systemClock,
      random: systemRandom,
      emit: (event) => events.push(event),
    });
    discovery.ref();
    open.push(() => void discovery.close());
    discovery.subscribe(clusterType, 'c', {
      onResource: (_value, version) => told.push(version),
      onAbsent: () => told.push('absent'),
      onError: () => told.push('error'),
    });
    return { discovery, events, told };
  }

  it('falls back to state of the world where delta is not served', async () => {
    const { create, toBinary } = await import('@bufbuild/protobuf');
    const { DiscoveryResponseSchema } = await import('../../gen/discovery.js');
    const { port } = await grpcServer({
      sotw: (stream) => {
        stream.once('data', () => {
          const response = create(DiscoveryResponseSchema, {
            typeUrl: clusterType.typeUrl,
            nonce: '1',
            versionInfo: 'v1',
            resources: [cluster('c')],
          });
          stream.write(Buffer.from(toBinary(DiscoveryResponseSchema, response)));
        });
      },
    });
    const { told, discovery } = discover(`127.0.0.1:${port}`);
    await expect.poll(() => told).toEqual(['v1']);
    expect(discovery.status()).toMatchObject({ state: 'up', method: 'sotw' });
  });

  it('finds a control plane again that was killed and came back on the same port, and keeps what it knew meanwhile', async () => {
    const { create, toBinary } = await import('@bufbuild/protobuf');
    const { DeltaDiscoveryResponseSchema } = await import('../../gen/discovery.js');
    const serve =
      (version: string): Serve =>
      (stream) => {
        stream.once('data', () => {
          const response = create(DeltaDiscoveryResponseSchema, {
            typeUrl: clusterType.typeUrl,
            nonce: '1',
            resources: [{ name: 'c', version, resource: cluster('c') }],
          });
          stream.write(Buffer.from(toBinary(DeltaDiscoveryResponseSchema, response)));
        });
      };
    const first = await grpcServer({ delta: serve('1') });
    const { told, discovery, events } = discover(`127.0.0.1:${first.port}`);
    await expect.poll(() => told).toEqual(['1']);
    first.stop();
    await expect.poll(() => discovery.status().state).not.toBe('up');
    expect(discovery.status().resources).toMatchObject([{ name: 'c', state: { kind: 'present', version: '1' } }]);
    await grpcServer({ delta: serve('2') }, `127.0.0.1:${first.port}`);
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(['1', '2']);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'xds-disconnected' }));
  });
});
