import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { TestCertificate } from '../../../test/harness/certificates.ts';
import { ECHO, Echo, type EchoClient, type Handlers } from '../grpc/peer.fixture.ts';
import type { InboundMode } from './chain.ts';
import type { GuardOptions } from './options.ts';
import { peerOf } from './peer.ts';
import { type Setting, startGuarded } from './server.fixture.ts';

/** For tests alone: a guarded server of grpc-js, and clients of grpc-js's own. */

type Unary = grpc.handleUnaryCall<Buffer, Buffer>;

export const who: Unary = (call, done) => done(null, Buffer.from(peerOf(call)?.serviceAccount ?? 'nobody'));

/** Unary calls are answered with who made them, the others echo. */
export function whoServer(handlers: Handlers = {}, options: grpc.ServerOptions = {}): grpc.Server {
  const server = new grpc.Server(options);
  const collect: grpc.handleClientStreamingCall<Buffer, Buffer> = (call, done) => {
    let text = peerOf(call)?.serviceAccount ?? 'nobody';
    call
      .on('data', (part: Buffer) => {
        text += ` ${part}`;
      })
      .on('end', () => done(null, Buffer.from(text)));
  };
  const spread: grpc.handleServerStreamingCall<Buffer, Buffer> = (call) => {
    call.write(Buffer.from(peerOf(call)?.serviceAccount ?? 'nobody'));
    call.write(call.request);
    call.end();
  };
  const chat: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.write(Buffer.from(peerOf(call)?.serviceAccount ?? 'nobody'));
    call.on('data', (part: Buffer) => call.write(part)).on('end', () => call.end());
  };
  const all = { unary: who, collect, spread, chat, ...handlers };
  server.addService(ECHO, all as unknown as grpc.UntypedServiceImplementation);
  return server;
}

export interface GrpcSetting extends Setting {
  readonly server: grpc.Server;
  /** By mutual TLS; without a certificate: in plain. */
  client(certificate?: TestCertificate, options?: grpc.ClientOptions): EchoClient;
}

export async function startGrpc(
  mode: InboundMode,
  options: GuardOptions = {},
  server: grpc.Server = whoServer(),
): Promise<GrpcSetting> {
  const setting = await startGuarded(server, mode, options);
  return Object.assign(setting, {
    server,
    client: (certificate?: TestCertificate, more: grpc.ClientOptions = {}) =>
      clientOf(setting, certificate && mutual(setting, certificate), more),
  });
}

export function clientOf(
  setting: Pick<Setting, 'port' | 'closers'>,
  credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
  more: grpc.ClientOptions = {},
): EchoClient {
  const own = { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0, ...more };
  const client = new Echo(`127.0.0.1:${setting.port}`, credentials, own);
  setting.closers.push(() => client.close());
  return client;
}

export const mutual = ({ ca }: Pick<Setting, 'ca'>, { pem, keyPem }: TestCertificate): grpc.ChannelCredentials =>
  grpc.credentials.createSsl(Buffer.from(ca.pem), Buffer.from(keyPem), Buffer.from(pem), {
    checkServerIdentity: () => undefined,
  });

export interface Said {
  readonly text: string;
  /** undefined: OK. */
  readonly code: number | undefined;
  readonly details: string;
}

const DEADLINE_MS = 20_000;

/** What came of a unary call, whatever it was. */
export function say(client: EchoClient, text = 'hello', metadata = new grpc.Metadata()): Promise<Said> {
  return new Promise((resolve) => {
    const answered = (error: grpc.ServiceError | null, value?: Buffer): void =>
      resolve({ text: String(value ?? ''), code: error?.code, details: error?.details ?? '' });
    client.unary(Buffer.from(text), metadata, { deadline: Date.now() + DEADLINE_MS }, answered);
  });
}

/** What a client stream is answered with. */
export function collect(client: EchoClient, ...parts: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    const stream = client.collect(new grpc.Metadata(), (error: grpc.ServiceError | null, value?: Buffer): void =>
      resolve({ text: String(value ?? ''), code: error?.code, details: error?.details ?? '' }),
    );
    for (const part of parts) stream.write(Buffer.from(part));
    stream.end();
  });
}

/** All messages of a stream of the server's. */
export function drain(
  stream: grpc.ClientReadableStream<Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>,
): Promise<string> {
  return new Promise((resolve) => {
    const parts: string[] = [];
    stream
      .on('data', (part: Buffer) => parts.push(String(part)))
      .on('error', (error: grpc.ServiceError) => resolve(`${error.code} ${error.details}`))
      .on('end', () => resolve(parts.join(' ')));
  });
}

/** A port that nobody has. */
export async function unusedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof at === 'object' && at !== null ? at.port : 0;
}
