import * as grpc from '@grpc/grpc-js';
import { peerOf } from '../../../sdk/src/server/index.ts';
import { rawMethod } from '../../harness/raw-method.ts';
import {
  aggregated,
  type OutputRequest,
  payloadAnswer,
  payloadSize,
  readOutputRequest,
  readSimpleRequest,
} from './messages.ts';

/** grpc.testing.TestService on a server of grpc-js (grpc/doc/interop-test-descriptions.md, Server). */

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';
const NOTHING = Buffer.alloc(0);

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Done = grpc.sendUnaryData<Buffer>;

const METHODS = {
  empty: rawMethod('/grpc.testing.TestService/EmptyCall', false, false),
  unary: rawMethod('/grpc.testing.TestService/UnaryCall', false, false),
  output: rawMethod('/grpc.testing.TestService/StreamingOutputCall', false, true),
  input: rawMethod('/grpc.testing.TestService/StreamingInputCall', true, false),
  duplex: rawMethod('/grpc.testing.TestService/FullDuplexCall', true, true),
};

/** What is asked to come back at the start, and at the end. */
function echoed({ metadata }: { readonly metadata: grpc.Metadata }): [head: grpc.Metadata, trailer: grpc.Metadata] {
  const [head, trailer] = [new grpc.Metadata(), new grpc.Metadata()];
  for (const value of metadata.get(INITIAL)) head.add(INITIAL, value);
  for (const value of metadata.get(TRAILING)) trailer.add(TRAILING, value);
  return [head, trailer];
}

function unary(call: Unary, done: Done): void {
  const [head, trailer] = echoed(call);
  call.sendMetadata(head);
  const { size, status } = readSimpleRequest(call.request);
  if (status.code !== 0) done({ code: status.code, details: status.message, metadata: trailer });
  else done(null, payloadAnswer(size), trailer);
}

function write(
  call: Pick<grpc.ServerWritableStream<Buffer, Buffer>, 'write' | 'emit'>,
  request: OutputRequest,
): boolean {
  const { status, sizes } = request;
  if (status.code !== 0) call.emit('error', { code: status.code, details: status.message });
  else for (const size of sizes) call.write(payloadAnswer(size));
  return status.code === 0;
}

function duplex(call: grpc.ServerDuplexStream<Buffer, Buffer>): void {
  const [head, trailer] = echoed(call);
  call.sendMetadata(head);
  call.on('data', (request: Buffer) => write(call, readOutputRequest(request)));
  call.on('end', () => call.end(trailer));
}

/** `callers`: who has made each call. */
export function createTestServer(callers: Set<string>): grpc.Server {
  const server = new grpc.Server();
  const noting = <C extends Parameters<typeof peerOf>[0]>(run: (call: C, done: Done) => unknown) =>
    ((call: C, done: Done) => {
      callers.add(peerOf(call)?.id ?? 'nobody');
      run(call, done);
    }) as unknown as grpc.UntypedHandleCall;
  server.addService(METHODS, {
    empty: noting((_: Unary, done) => done(null, NOTHING)),
    unary: noting(unary),
    output: noting((call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      if (write(call, readOutputRequest(call.request))) call.end();
    }),
    input: noting((call: grpc.ServerReadableStream<Buffer, Buffer>, done) => {
      let sum = 0;
      call.on('data', (request: Buffer) => {
        sum += payloadSize(request);
      });
      call.on('end', () => done(null, aggregated(sum)));
    }),
    duplex: noting(duplex),
  });
  return server;
}
