import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import { type Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createTestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { systemClock } from '../clock.ts';
import { type ChannelCredentials, createChannel } from './channel.ts';
import { callUnary } from './grpc-call.ts';
import { createGrpcTransport } from './grpc-transport.ts';

/** Against the gRPC server that control planes in Node use; TLS as OpenSSL's own server has it. */

const PATH = '/test.Echo/Say';
const ca = await createTestCa();
const stranger = await createTestCa({ subject: 'CN=stranger' });
const directory = mkdtempSync(path.join(tmpdir(), 'inmesh-wire-'));
const roots = path.join(directory, 'roots.pem');
writeFileSync(roots, ca.pem);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => void;

interface ServeOptions {
  readonly certificate?: TestCertificate;
  readonly wantsClient?: boolean;
  readonly address?: string;
}

async function serve(say: Unary, { certificate, wantsClient = false, address = '127.0.0.1:0' }: ServeOptions = {}) {
  const server = new Server();
  const as = (value: Buffer) => value;
  const say1 = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: as,
    requestDeserialize: as,
    responseSerialize: as,
    responseDeserialize: as,
  };
  server.addService({ say: say1 }, { say });
  const credentials =
    certificate === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          Buffer.from(ca.pem),
          [{ cert_chain: Buffer.from(certificate.pem), private_key: Buffer.from(certificate.keyPem) }],
          wantsClient,
        );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  open.push(() => server.forceShutdown());
  return port;
}

const echo: Unary = ({ request }, answer) => answer(null, request);
const call = (
  server: string,
  credentials: ChannelCredentials = {},
  rest: Partial<Parameters<typeof callUnary>[0]> = {},
) =>
  callUnary({
    channel: rest.channel ?? createChannel(server, credentials),
    path: PATH,
    request: Buffer.from('hello'),
    clock: systemClock,
    deadlineMs: 30_000,
    maxMessageBytes: 1_000,
    ...rest,
  }).then((bytes) => Buffer.from(bytes).toString());

describe('one question', () => {
  it('one answer', async () => {
    expect(await call(`127.0.0.1:${await serve(echo)}`)).toBe('hello');
  });

  it('the status and what it says', async () => {
    const port = await serve((_call, answer) => answer({ code: 16, details: 'the token is over' }));
    await expect(call(`127.0.0.1:${port}`)).rejects.toMatchObject({
      name: 'GrpcCallError',
      code: 16,
      message: 'the token is over (UNAUTHENTICATED)',
    });
  });

  it('an answer over the limit is not read', async () => {
    const port = await serve((_call, answer) => answer(null, Buffer.alloc(1_001)));
    await expect(call(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 8 });
  });

  it('no answer in time is an end, and the server is told the time', async () => {
    const clock = createFakeClock();
    let seen: Metadata | undefined;
    const port = await serve(({ metadata }) => {
      seen = metadata;
    });
    const waiting = call(`127.0.0.1:${port}`, {}, { clock, deadlineMs: 700 });
    await expect.poll(() => seen).toBeDefined();
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ code: 4, message: expect.stringContaining('no answer within 700 ms') }),
      clock.pass(700),
    ]);
  });

  it('a port where nobody listens', async () => {
    await expect(call('127.0.0.1:1')).rejects.toMatchObject({
      code: 14,
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each([
    ['no answer', 0, 'the call ended without an answer'],
    ['two answers', 2, 'more than one answer to one question'],
  ])('%s to one question', async (_what, answers, expected) => {
    const server = http2.createServer();
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      for (let sent = 0; sent < answers; sent++) stream.write(Buffer.from([0, 0, 0, 0, 1, 7]));
      stream.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    await expect(call(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 13, message: `${expected} (INTERNAL)` });
  });
});

describe('a bearer token', () => {
  const whoAsks: Unary = ({ metadata }, answer) => answer(null, Buffer.from(String(metadata.get('authorization'))));

  it('goes with each call, as it is then', async () => {
    const server = `127.0.0.1:${await serve(whoAsks)}`;
    let text = 'first';
    const credentials = { token: () => text };
    expect(await call(server, credentials)).toBe('Bearer first');
    text = 'second';
    expect(await call(server, credentials)).toBe('Bearer second');
  });

  it('never in plain text to another machine', async () => {
    const token = () => 'sesame';
    expect(() => createChannel('istiod.example:15010', { token })).toThrow(
      /MESH_BOOTSTRAP_INVALID.*plain text, and not on this machine/,
    );
    expect(createChannel('istiod.example:15010', { token, isTokenOptional: true }).metadata()).toEqual({});
    expect(createChannel('tls://istiod.example:15012', { token }).metadata()).toEqual({
      authorization: 'Bearer sesame',
    });
    expect(createChannel('unix:/run/xds', { token }).metadata()).toEqual({ authorization: 'Bearer sesame' });
  });

  it('one that cannot be had ends the stream with its reason', async () => {
    const token = () => {
      throw new Error('INMESH_TOKEN_FILE: "/x" cannot be read');
    };
    const transport = createGrpcTransport({ server: '127.0.0.1:1', credentials: { token } });
    const status = await new Promise((resolve) => transport.open('delta', { message() {}, close: resolve }));
    expect(status).toEqual({ code: 14, message: 'INMESH_TOKEN_FILE: "/x" cannot be read' });
  });
});

describe('TLS', () => {
  it('to a server whose certificate is for the name that was dialled, or for its address', async () => {
    const byName = await serve(echo, { certificate: await ca.issue({ dns: ['localhost'] }), address: 'localhost:0' });
    expect(await call(`tls://localhost:${byName}`, { roots })).toBe('hello');
    const byAddress = await serve(echo, { certificate: await ca.issue({ ips: ['127.0.0.1'] }) });
    expect(await call(`tls://127.0.0.1:${byAddress}`, { roots })).toBe('hello');
  });

  it.each([
    ['another name', () => ca.issue({ dns: ['istiod.test'] }), /altnames|does not match/i],
    ['a SPIFFE ID alone', () => ca.issue({ uris: ['spiffe://td/ns/a/sa/b'] }), /altnames|does not match/i],
    ['a stranger', () => stranger.issue({ ips: ['127.0.0.1'] }), /unable to verify|self.signed|issuer/i],
    ['the past', () => ca.issue({ ips: ['127.0.0.1'], notBeforeMs: 0, notAfterMs: 1_000_000 }), /expired/],
  ])('a certificate of %s is refused, and the roots are named', async (_what, issue, expected) => {
    const port = await serve(echo, { certificate: await issue() });
    const failed = call(`tls://127.0.0.1:${port}`, { roots });
    await expect(failed).rejects.toThrow(expected);
    await expect(failed).rejects.toThrow(/held against the roots in .*roots\.pem/);
    await expect(failed).rejects.toMatchObject({ code: 14 });
  });

  it('NODE_TLS_REJECT_UNAUTHORIZED=0 lets no stranger have the token', async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const port = await serve(echo, { certificate: await stranger.issue({ ips: ['127.0.0.1'] }) });
      await expect(call(`tls://127.0.0.1:${port}`, { roots })).rejects.toMatchObject({ code: 14 });
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  it('by the roots of the file as it is then; without one by those of the platform', async () => {
    const port = await serve(echo, { certificate: await ca.issue({ ips: ['127.0.0.1'] }) });
    const file = path.join(directory, 'changing.pem');
    writeFileSync(file, stranger.pem);
    const channel = createChannel(`tls://127.0.0.1:${port}`, { roots: file });
    await expect(call('', {}, { channel })).rejects.toThrow(/self-signed/);
    writeFileSync(file, ca.pem);
    expect(await call('', {}, { channel })).toBe('hello');
    writeFileSync(file, 'nothing');
    await expect(call('', {}, { channel })).rejects.toThrow(/changing\.pem: there is no PEM certificate/);
    await expect(call(`tls://127.0.0.1:${port}`)).rejects.toThrow(/the platform's roots: INMESH_CA_ROOT names others/);
  });

  it('our own certificate is shown where there is one, anew with each connection', async () => {
    const port = await serve(echo, { certificate: await ca.issue({ ips: ['127.0.0.1'] }), wantsClient: true });
    let own: TestCertificate | undefined;
    const certificate = () => own && { chain: own.pem, key: own.keyPem };
    await expect(call(`tls://127.0.0.1:${port}`, { roots, certificate })).rejects.toMatchObject({ code: 14 });
    own = await ca.issue({ uris: ['spiffe://td/ns/a/sa/b'] });
    expect(await call(`tls://127.0.0.1:${port}`, { roots, certificate })).toBe('hello');
  });

  it('no connection is a resumed one: Node would not verify the server of it', async () => {
    const { pem, keyPem } = await ca.issue({ ips: ['127.0.0.1'] });
    const reused: boolean[] = [];
    const server = tls.createServer({ cert: pem, key: keyPem, ALPNProtocols: ['h2'] }, (socket: TLSSocket) => {
      reused.push(socket.isSessionReused());
      socket.on('error', () => {});
      socket.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => server.close());
    const channel = createChannel(`tls://127.0.0.1:${(server.address() as AddressInfo).port}`, { roots });
    for (let connection = 0; connection < 3; connection++) await expect(call('', {}, { channel })).rejects.toThrow();
    expect(reused).toEqual([false, false, false]);
  });

  it('a server that does not offer HTTP/2, and one that speaks no TLS', async () => {
    const { pem, keyPem } = await ca.issue({ ips: ['127.0.0.1'] });
    const server = tls.createServer({ cert: pem, key: keyPem }, (socket) => void socket.on('error', () => {}));
    const plain = net.createServer(
      (socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    for (const one of [server, plain]) {
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      open.push(() => one.close());
    }
    const portOf = (one: net.Server) => (one.address() as AddressInfo).port;
    await expect(call(`tls://127.0.0.1:${portOf(server)}`, { roots })).rejects.toThrow(/does not offer HTTP\/2/);
    await expect(call(`tls://127.0.0.1:${portOf(plain)}`, { roots })).rejects.toMatchObject({ code: 14 });
  });
});
