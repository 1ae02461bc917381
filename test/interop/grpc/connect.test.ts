import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGrpcTransport } from '../../../sdk/src/connectrpc-entry.ts';
import { IMPLEMENTATIONS } from './peers.ts';
import { type Place, WAYS } from './places.ts';
import { TestService, UnimplementedService } from './testing-service.ts';

/** A client of Connect by the gRPC protocol on the mesh against the interop servers of other implementations. */

const ASKED = [31_415, 9, 2_653, 58_979];
const SENT = [27_182, 8, 1_828, 45_904];

const ofSize = (size: number) => ({ payload: { body: new Uint8Array(size) } });
const asking = (...sizes: number[]) => ({ responseParameters: sizes.map((size) => ({ size })) });
const sizeOf = ({ payload }: { readonly payload?: { readonly body: Uint8Array } }): number => payload?.body.length ?? 0;

async function* each<T>(...values: T[]): AsyncGenerator<T> {
  yield* values;
}

async function sizes(answers: AsyncIterable<Parameters<typeof sizeOf>[0]>): Promise<number[]> {
  const list: number[] = [];
  for await (const answer of answers) list.push(sizeOf(answer));
  return list;
}

const failure = async (call: Promise<unknown>): Promise<ConnectError | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );

describe.each(IMPLEMENTATIONS)("%s's interop server", (_, command) => {
  describe.skipIf(command === undefined).each(WAYS)('%s', (__, peer, open) => {
    let place: Place;
    const transport = () => createGrpcTransport({ baseUrl: `http://${place.target}`, mesh: place.mesh });
    const client = () => createClient(TestService, transport());
    beforeAll(async () => {
      place = await open(command);
    });
    afterAll(() => place?.close());

    it('empty_unary', async () => {
      expect(await client().emptyCall({})).toMatchObject({ $typeName: 'grpc.testing.Empty' });
    });

    it('large_unary', async () => {
      expect(sizeOf(await client().unaryCall({ responseSize: 314_159, ...ofSize(271_828) }))).toBe(314_159);
    });

    it('client_streaming', async () => {
      const { aggregatedPayloadSize } = await client().streamingInputCall(each(...SENT.map(ofSize)));
      expect(aggregatedPayloadSize).toBe(74_922);
    });

    it('server_streaming', async () => {
      expect(await sizes(client().streamingOutputCall(asking(...ASKED)))).toEqual(ASKED);
    });

    it('ping_pong', async () => {
      let answered = Promise.withResolvers<void>();
      async function* requests() {
        for (const [index, size] of ASKED.entries()) {
          yield { ...asking(size), ...ofSize(SENT[index] ?? 0) };
          await answered.promise;
          answered = Promise.withResolvers();
        }
      }
      const heard: number[] = [];
      for await (const answer of client().fullDuplexCall(requests())) {
        heard.push(sizeOf(answer));
        answered.resolve();
      }
      expect(heard).toEqual(ASKED);
    });

    it('empty_stream', async () => {
      expect(await sizes(client().fullDuplexCall(each()))).toEqual([]);
    });

    it('cancel_after_begin', async () => {
      const stop = new AbortController();
      async function* never() {
        yield ofSize(1);
        stop.abort();
        await new Promise(() => {});
      }
      const call = client().streamingInputCall(never(), { signal: stop.signal });
      expect((await failure(call))?.code).toBe(Code.Canceled);
    });

    it('cancel_after_first_response', async () => {
      const stop = new AbortController();
      async function* first() {
        yield { ...asking(31_415), ...ofSize(27_182) };
        await new Promise(() => {});
      }
      const heard: number[] = [];
      const read = async () => {
        for await (const answer of client().fullDuplexCall(first(), { signal: stop.signal })) {
          heard.push(sizeOf(answer));
          stop.abort();
        }
      };
      expect((await failure(read()))?.code).toBe(Code.Canceled);
      expect(heard).toEqual([31_415]);
    });

    it('timeout_on_sleeping_server', async () => {
      async function* silent() {
        yield ofSize(27_182);
        await new Promise(() => {});
      }
      const error = await failure(sizes(client().fullDuplexCall(silent(), { timeoutMs: 50 })));
      expect(error?.code).toBe(Code.DeadlineExceeded);
    });

    it('custom_metadata', async () => {
      const told: (string | null)[] = [];
      const options = {
        headers: { 'x-grpc-test-echo-initial': 'test_initial_metadata_value', 'x-grpc-test-echo-trailing-bin': 'q6ur' },
        onHeader: (head: Headers) => void told.push(head.get('x-grpc-test-echo-initial')),
        onTrailer: (trailer: Headers) => void told.push(trailer.get('x-grpc-test-echo-trailing-bin')),
      };
      await client().unaryCall({ responseSize: 1 }, options);
      expect(await sizes(client().fullDuplexCall(each(asking(3)), options))).toEqual([3]);
      expect(told).toEqual(['test_initial_metadata_value', 'q6ur', 'test_initial_metadata_value', 'q6ur']);
    });

    it.each([
      ['status_code_and_message', 'test status message'],
      ['special_status_message', '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'],
    ])('%s', async (___, text) => {
      const responseStatus = { code: 2, message: text };
      for (const call of [
        () => client().unaryCall({ responseStatus }),
        () => sizes(client().fullDuplexCall(each({ responseStatus }))),
      ]) {
        expect(await failure(call())).toMatchObject({ code: Code.Unknown, rawMessage: text });
      }
    });

    it('unimplemented_method', async () => {
      expect((await failure(client().unimplementedCall({})))?.code).toBe(Code.Unimplemented);
    });

    it('unimplemented_service', async () => {
      const other = createClient(UnimplementedService, transport());
      expect((await failure(other.unimplementedCall({})))?.code).toBe(Code.Unimplemented);
    });

    it('every answer came from whom the certificate names, if there is one', () => {
      expect([...place.peers]).toEqual([peer]);
    });
  });
});
