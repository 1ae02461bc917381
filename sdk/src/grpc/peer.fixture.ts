import * as grpc from '@grpc/grpc-js';
import { rawMethod } from '../../../test/harness/raw-method.ts';

/** A real grpc-js server and clients of it, without generated code: messages are Buffers. */

export const ECHO = {
  unary: rawMethod('/test.Echo/Unary', false, false),
  collect: rawMethod('/test.Echo/Collect', true, false),
  spread: rawMethod('/test.Echo/Spread', false, true),
  chat: rawMethod('/test.Echo/Chat', true, true),
};

export type EchoClient = InstanceType<grpc.ServiceClientConstructor> & {
  unary(message: Buffer, ...rest: unknown[]): grpc.ClientUnaryCall;
  collect(...rest: unknown[]): grpc.ClientWritableStream<Buffer>;
  spread(message: Buffer, ...rest: unknown[]): grpc.ClientReadableStream<Buffer>;
  chat(...rest: unknown[]): grpc.ClientDuplexStream<Buffer, Buffer>;
};

export const Echo = grpc.makeClientConstructor(ECHO, 'Echo') as unknown as new (
  address: string,
  credentials: grpc.ChannelCredentials,
  options?: grpc.ClientOptions,
) => EchoClient;

export type Handlers = { readonly [name in keyof typeof ECHO]?: unknown };

export interface GrpcPeer {
  readonly server: grpc.Server;
  readonly port: number;
  close(): void;
}

/** Echoes unless told otherwise. */
const ECHOING: Required<Handlers> = {
  unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
  collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
    const parts: Buffer[] = [];
    call.on('data', (part: Buffer) => parts.push(part)).on('end', () => done(null, Buffer.concat(parts)));
  },
  spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
    for (const byte of call.request) call.write(Buffer.from([byte]));
    call.end();
  },
  chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (part: Buffer) => call.write(part)).on('end', () => call.end());
  },
};

export async function servePeer(
  handlers: Handlers = {},
  options: grpc.ServerOptions = {},
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<GrpcPeer> {
  const server = new grpc.Server(options);
  server.addService(ECHO, { ...ECHOING, ...handlers } as unknown as grpc.UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { server, port, close: () => server.forceShutdown() };
}

/** What came of a unary call, whatever it was. */
export interface Told {
  readonly value: Buffer | undefined;
  readonly error: grpc.ServiceError | undefined;
  readonly metadata: grpc.Metadata | undefined;
  readonly status: grpc.StatusObject;
}

export function told(
  begin: (done: grpc.requestCallback<Buffer>) => grpc.ClientUnaryCall | grpc.ClientWritableStream<Buffer>,
): Promise<Told> {
  return new Promise((resolve) => {
    let [metadata, answer]: [grpc.Metadata | undefined, [grpc.ServiceError | null, Buffer | undefined] | undefined] = [
      undefined,
      undefined,
    ];
    const call = begin((error, value) => {
      answer = [error, value];
    });
    call.on('metadata', (of: grpc.Metadata) => {
      metadata = of;
    });
    call.on('status', (status: grpc.StatusObject) => {
      resolve({ value: answer?.[1], error: answer?.[0] ?? undefined, metadata, status });
    });
  });
}

const { status } = grpc;

/** What a client makes of an HTTP status without `grpc-status` (doc/http-grpc-status-mapping.md). */
export const STATUS_OF_HTTP: readonly (readonly [http: number, code: grpc.status])[] = [
  [400, status.INTERNAL],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.UNIMPLEMENTED],
  [429, status.UNAVAILABLE],
  [502, status.UNAVAILABLE],
  [503, status.UNAVAILABLE],
  [504, status.UNAVAILABLE],
  [500, status.UNKNOWN],
];
