import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { told } from '../../../sdk/src/grpc/peer.fixture.ts';
import { rawMethod } from '../../harness/raw-method.ts';
import {
  aggregatedSize,
  payloadSize,
  simpleRequest,
  streamingInputRequest,
  streamingOutputRequest,
} from './messages.ts';
import type { Place } from './places.ts';

/** gRPC's interop test cases (grpc/doc/interop-test-descriptions.md), of a client of grpc-js on a mesh. */

const define = (name: string, ...streams: [request?: boolean, response?: boolean]) =>
  rawMethod(`/grpc.testing.${name}`, ...streams);

const Client = grpc.makeClientConstructor(
  {
    empty: define('TestService/EmptyCall'),
    unary: define('TestService/UnaryCall'),
    input: define('TestService/StreamingInputCall', true),
    output: define('TestService/StreamingOutputCall', false, true),
    duplex: define('TestService/FullDuplexCall', true, true),
    unimplemented: define('TestService/UnimplementedCall'),
    noService: define('UnimplementedService/UnimplementedCall'),
  },
  'TestService',
);

type Any = InstanceType<typeof Client>;
type Answer = grpc.requestCallback<Buffer>;

const NOTHING = Buffer.alloc(0);

export const clientOf = ({ mesh, target }: Pick<Place, 'mesh' | 'target'>, options: grpc.ClientOptions = {}): Any =>
  new Client(target, grpc.credentials.createInsecure(), { ...options, ...mesh.grpc() });

/** Declares a test for each case. */
export function clientCases(place: () => Place, client: () => Any): void {
  const call = (name: string, message: Buffer, metadata = new grpc.Metadata(), options: grpc.CallOptions = {}) =>
    told((done: Answer) =>
      (client()[name] as (...all: unknown[]) => grpc.ClientUnaryCall).call(client(), message, metadata, options, done),
    );

  const open = (
    metadata = new grpc.Metadata(),
    options: grpc.CallOptions = {},
  ): grpc.ClientDuplexStream<Buffer, Buffer> => {
    const stream = (client().duplex as (...all: unknown[]) => grpc.ClientDuplexStream<Buffer, Buffer>).call(
      client(),
      metadata,
      options,
    );
    return stream.on('error', () => {});
  };

  const statusOf = (stream: grpc.ClientReadableStream<Buffer>) =>
    new Promise<grpc.StatusObject>((resolve) => {
      stream.on('status', resolve);
    });

  it('empty_unary', async () => {
    expect(await call('empty', NOTHING)).toMatchObject({ value: NOTHING, status: { code: 0 } });
  });

  it('large_unary', async () => {
    const { value } = await call('unary', simpleRequest({ size: 314_159, payload: 271_828 }));
    expect(payloadSize(value ?? NOTHING)).toBe(314_159);
  });

  it('client_streaming', async () => {
    const { value } = await told((done: Answer) => {
      const stream = (client().input as (done: Answer) => grpc.ClientWritableStream<Buffer>).call(client(), done);
      for (const size of [27_182, 8, 1_828, 45_904]) stream.write(streamingInputRequest(size));
      stream.end();
      return stream;
    });
    expect(aggregatedSize(value ?? NOTHING)).toBe(74_922);
  });

  it('server_streaming', async () => {
    const sizes = [31_415, 9, 2_653, 58_979];
    const output = client().output as (message: Buffer) => grpc.ClientReadableStream<Buffer>;
    const heard: number[] = [];
    for await (const message of output.call(client(), streamingOutputRequest(sizes))) heard.push(payloadSize(message));
    expect(heard).toEqual(sizes);
  });

  it('ping_pong', async () => {
    const stream = open();
    const [asked, sent] = [
      [31_415, 9, 2_653, 58_979],
      [27_182, 8, 1_828, 45_904],
    ];
    for (const [index, size] of asked.entries()) {
      stream.write(streamingOutputRequest([size], { payload: sent[index] ?? 0 }));
      const [heard] = await once(stream, 'data');
      expect(payloadSize(heard)).toBe(size);
    }
    const status = statusOf(stream);
    stream.end();
    expect((await status).code).toBe(0);
  });

  it('empty_stream', async () => {
    const stream = open().resume();
    const status = statusOf(stream);
    stream.end();
    expect((await status).code).toBe(0);
  });

  it('cancel_after_begin', async () => {
    const { error } = await told((done: Answer) => {
      const stream = (client().input as (done: Answer) => grpc.ClientWritableStream<Buffer>).call(client(), done);
      setImmediate(() => stream.cancel());
      return stream;
    });
    expect(error?.code).toBe(grpc.status.CANCELLED);
  });

  it('cancel_after_first_response', async () => {
    const stream = open();
    stream.write(streamingOutputRequest([31_415], { payload: 27_182 }));
    await once(stream, 'data');
    const status = statusOf(stream);
    stream.cancel();
    expect((await status).code).toBe(grpc.status.CANCELLED);
  });

  it('timeout_on_sleeping_server', async () => {
    const stream = open(new grpc.Metadata(), { deadline: Date.now() + 20 }).resume();
    const status = statusOf(stream);
    stream.write(streamingOutputRequest([], { payload: 27_182 }));
    expect((await status).code).toBe(grpc.status.DEADLINE_EXCEEDED);
  });

  it('custom_metadata', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('ababab', 'hex'));
    const check = (head: grpc.Metadata | undefined, { metadata: trailer }: grpc.StatusObject): void => {
      expect(head?.get('x-grpc-test-echo-initial')).toEqual(['test_initial_metadata_value']);
      expect(trailer.get('x-grpc-test-echo-trailing-bin')).toEqual([Buffer.from('ababab', 'hex')]);
    };
    const unary = await call('unary', simpleRequest({ size: 314_159, payload: 271_828 }), metadata);
    check(unary.metadata, unary.status);
    const stream = open(metadata).resume();
    const [head, status] = [once(stream, 'metadata'), statusOf(stream)];
    stream.end(streamingOutputRequest([314_159], { payload: 271_828 }));
    check((await head)[0], await status);
  });

  it('status_code_and_message', async () => {
    const status = { code: 2, message: 'test status message' };
    const { error } = await call('unary', simpleRequest({ status }));
    expect(error).toMatchObject({ code: 2, details: status.message });
    const stream = open().resume();
    const ended = statusOf(stream);
    stream.end(streamingOutputRequest([], { status }));
    expect(await ended).toMatchObject({ code: 2, details: status.message });
  });

  it('special_status_message', async () => {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
    const { error } = await call('unary', simpleRequest({ status: { code: 2, message } }));
    expect(error).toMatchObject({ code: 2, details: message });
  });

  it('unimplemented_method', async () => {
    expect((await call('unimplemented', NOTHING)).error?.code).toBe(grpc.status.UNIMPLEMENTED);
  });

  it('unimplemented_service', async () => {
    expect((await call('noService', NOTHING)).error?.code).toBe(grpc.status.UNIMPLEMENTED);
  });

  it('client_compressed_unary', async () => {
    const packed = clientOf(place(), { 'grpc.default_compression_algorithm': 2 });
    const unary = packed.unary as (message: Buffer, done: Answer) => grpc.ClientUnaryCall;
    const { value } = await told((done: Answer) =>
      unary.call(packed, simpleRequest({ size: 314_159, payload: 271_828 }), done),
    );
    expect(payloadSize(value ?? NOTHING)).toBe(314_159);
    packed.close();
  });
}
