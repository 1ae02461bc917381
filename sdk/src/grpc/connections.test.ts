import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { TEST_CERTIFICATE, TEST_KEY, TEST_ROOT } from '../connection/certificates.fixture.ts';
import { Echo, servePeer, told } from './peer.fixture.ts';

let test: TestMesh;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await test[Symbol.asyncDispose]();
});

const HELLO = Buffer.from('hello');

/** Of a `net` or `http2` server: what has connected so far. */
async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('gRPC beside other calls of the same host', () => {
  it('has a connection of its own, and neither closes the other one', async () => {
    const one = http.createServer((_, response) => response.end('1.1'));
    const two = http2.createServer();
    two.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), HELLO]));
    });
    const sockets = new Set<Socket>();
    const port = await listening(
      createServer((socket) => {
        sockets.add(socket);
        socket.once('data', (first: Buffer) => {
          (first.toString('latin1').startsWith('PRI ') ? two : one).emit('connection', socket);
          socket.unshift(first);
        });
      }),
    );
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    test.host('both:80', port);
    const client = new Echo('both:80', grpc.credentials.createInsecure(), test.mesh.grpc());
    for (let n = 0; n < 5; n++) {
      expect(String((await told((done) => client.unary(HELLO, done))).value)).toBe('hello');
      expect(await (await test.mesh.fetch('http://both/')).text()).toBe('1.1');
    }
    expect(sockets.size).toBe(2);
    client.close();
  });

  it('goes on with the connection of a call that was cancelled', async () => {
    const peer = await servePeer({
      spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => call.write(HELLO),
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, Buffer.from(call.getPeer())),
    });
    ends.push(() => peer.close());
    test.host('echo:80', peer.port);
    const client = new Echo('echo:80', grpc.credentials.createInsecure(), test.mesh.grpc());
    const peers = new Set<string>();
    for (let n = 0; n < 5; n++) {
      const stream = client.spread(HELLO);
      stream.on('error', () => {});
      await new Promise((resolve) => stream.once('data', resolve));
      stream.cancel();
      peers.add(String((await told((done) => client.unary(HELLO, done))).value));
    }
    expect(peers.size).toBe(1);
    client.close();
  });

  it('gives back every place it took, whatever ends a call', async () => {
    const peer = await servePeer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const wish = call.request[0] ?? 0;
        if (wish % 3 === 0) done(null, call.request);
        else if (wish % 3 === 1) done({ code: 13, details: 'no' });
      },
    });
    ends.push(() => peer.close());
    test.host('echo:80', peer.port);
    const limited = { circuitBreakers: { thresholds: [{ maxRequests: 120 }] } };
    test.ads.set('outbound|echo:80', cluster('outbound|echo:80', limited));
    const client = new Echo('echo:80', grpc.credentials.createInsecure(), test.mesh.grpc());
    const one = (n: number) =>
      told((done) => {
        const deadline = Date.now() + (n % 5) * 30;
        const call = client.unary(Buffer.from([n]), new grpc.Metadata(), { deadline }, done);
        if (n % 7 === 0) setTimeout(() => call.cancel(), n);
        return call;
      });
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(Array.from({ length: 120 }, (_, n) => one(n)));
      const codes = new Set(all.map(({ status }) => status.code));
      expect(codes).toContain(grpc.status.DEADLINE_EXCEEDED);
      // One place too few, and one of them would be UNAVAILABLE.
      expect(codes).not.toContain(grpc.status.UNAVAILABLE);
    }
    client.close();
  });
});

describe('credentials of TLS', () => {
  const roots = tls.getCACertificates('default');
  beforeEach(() => tls.setDefaultCACertificates([...roots, TEST_ROOT]));
  afterEach(() => tls.setDefaultCACertificates(roots));

  it('are TLS to whom the caller dials, and the call credentials composed into them are asked', async () => {
    const pair = { private_key: Buffer.from(TEST_KEY), cert_chain: Buffer.from(TEST_CERTIFICATE) };
    const peer = await servePeer(
      {
        unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
          done(null, Buffer.from(String(call.metadata.get('authorization')))),
      },
      {},
      grpc.ServerCredentials.createSsl(null, [pair]),
    );
    ends.push(() => peer.close());
    test.host('reviews.test:443', peer.port);
    const token = grpc.credentials.createFromMetadataGenerator((_, done) => {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', 'Bearer it');
      done(null, metadata);
    });
    const secure = grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(), token);
    const client = new Echo('reviews.test', secure, test.mesh.grpc());
    const { value, status } = await told((done) => client.unary(HELLO, done));
    expect(status).toMatchObject({ code: 0 });
    expect(String(value)).toBe('Bearer it');
    client.close();
  });
});
