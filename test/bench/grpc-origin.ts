import process from 'node:process';
import * as grpc from '@grpc/grpc-js';
import { type Origin, spawnOrigin } from './origin.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream: boolean) => ({
  path: `/bench.Echo/${name}`,
  requestStream: responseStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** Without generated code: what is measured is the channel. */
export const ECHO = { unary: method('Unary', false), chat: method('Chat', true) };

/** A server of grpc-js in a process of its own. */
export const startGrpcOrigin = (): Promise<Origin> => spawnOrigin(import.meta.url);

function serve(): void {
  const server = new grpc.Server();
  server.addService(ECHO, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (part: Buffer) => call.write(part)).on('end', () => call.end());
    },
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send?.(port);
  });
  process.once('disconnect', () => process.exit(0));
}

if (process.argv[2] === 'serve') serve();
