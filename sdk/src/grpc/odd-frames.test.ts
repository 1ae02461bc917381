import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../connection/origin.fixture.ts';
import {
  type ByHand,
  data,
  END_HEADERS,
  END_STREAM,
  FRAME,
  fields,
  frame,
  HEAD_FIELDS,
  head,
  MESSAGE,
  type Script,
  serveByHand,
  trailers,
  u32,
} from './frames.fixture.ts';
import { type Stage, startStage, unary } from './policy.fixture.ts';

/**
 * Servers that break the rules of HTTP/2, or play with them: each call ends, with a status that says so, and the next one goes
 * to a server that behaves.
 */

let stage: Stage;
let byHand: ByHand | undefined;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(async () => {
  byHand?.close();
  await stage.close();
});

const { status } = grpc;

async function against(script: Script, settings?: readonly number[]) {
  byHand = await serveByHand(script, settings);
  stage.set({ clusters: { a: { groups: [{ peers: [byHand] }] } } });
  return stage.client();
}

const writing =
  (frames: (stream: number) => readonly Buffer[]): Script =>
  (socket, stream) => {
    socket.write(Buffer.concat(frames(stream)));
  };

const many = (count: number, of: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => of));

describe('an answer that breaks the rules ends its call, and nothing else', () => {
  it.each<[string, readonly number[], (stream: number) => readonly Buffer[]]>([
    ['two heads', [status.INTERNAL], (id) => [head(id), head(id), data(id), trailers(id)]],
    [
      'trailers that are not the end',
      [status.INTERNAL],
      (id) => [head(id), data(id), frame(FRAME.headers, END_HEADERS, id, fields(['grpc-status', '0']))],
    ],
    ['a head without a status', [status.INTERNAL], (id) => [frame(FRAME.headers, END_HEADERS, id, fields(['a', 'b']))]],
    ['data before its head', [status.INTERNAL, status.UNAVAILABLE], (id) => [data(id), trailers(id)]],
    [
      'a header block that is none',
      [status.INTERNAL, status.UNAVAILABLE],
      (id) => [frame(FRAME.headers, END_HEADERS, id, [255, 255, 255])],
    ],
    [
      'a header block in endless parts',
      [status.INTERNAL, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED],
      (id) => [
        frame(FRAME.headers, 0, id, HEAD_FIELDS),
        many(20_000, frame(FRAME.continuation, 0, id, fields(['x', 'y']))),
      ],
    ],
    [
      'more headers than are taken',
      [status.INTERNAL, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED],
      (id) => [
        frame(FRAME.headers, 0, id, HEAD_FIELDS),
        many(8, frame(FRAME.continuation, 0, id, fields(['x', 'y'.repeat(15_000)]))),
        frame(FRAME.continuation, END_HEADERS, id, []),
      ],
    ],
    [
      'a frame larger than was agreed',
      [status.INTERNAL, status.UNAVAILABLE],
      (id) => [head(id), frame(FRAME.data, 0, id, Buffer.alloc(20_000))],
    ],
    ['a push', [status.INTERNAL, status.UNAVAILABLE], (id) => [frame(FRAME.push, END_HEADERS, id, [...u32(2), 0x82])]],
    ['data of no stream', [status.INTERNAL, status.UNAVAILABLE], () => [frame(FRAME.data, 0, 0, MESSAGE)]],
    ['SETTINGS of a wrong size', [status.INTERNAL, status.UNAVAILABLE], () => [frame(FRAME.settings, 0, 0, [1, 2, 3])]],
    [
      'a window of the stream wider than there is',
      [status.INTERNAL, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED],
      (id) => [head(id), many(2, frame(FRAME.window, 0, id, u32(2 ** 31 - 1)))],
    ],
    [
      'a window of the connection wider than there is',
      [status.INTERNAL, status.UNAVAILABLE],
      (id) => [head(id), many(2, frame(FRAME.window, 0, 0, u32(2 ** 31 - 1)))],
    ],
  ])('%s', async (_, codes, frames) => {
    const client = await against(writing(frames));
    expect(codes).toContain((await unary(client)).status.code);
    const { value, status: next } = await unary(client);
    // One whose stream alone was ended has the first connection again, where the same happens.
    if (byHand?.connections() === 1) expect(codes).toContain(next.code);
    else expect(String(value)).toBe('hello');
  });

  it('as many bytes as there is no window for', async () => {
    const client = await against(
      writing((id) => [head(id), many(1_100, frame(FRAME.data, 0, id, Buffer.alloc(16_384)))]),
    );
    expect((await unary(client)).status.code).not.toBe(status.OK);
  });
});

describe('what is odd but no harm', () => {
  it.each<[string, (stream: number) => readonly Buffer[]]>([
    [
      'a hundred thousand empty DATA frames',
      (id) => [head(id), many(100_000, frame(FRAME.data, 0, id)), data(id), trailers(id)],
    ],
    [
      'frames of a kind that nobody knows',
      (id) => [frame(99, 255, id, [1, 2, 3]), head(id), frame(99, 0, 0), data(id), trailers(id)],
    ],
    ['padding', (id) => [head(id), frame(FRAME.data, 8, id, [3, ...MESSAGE, 0, 0, 0]), trailers(id)]],
    [
      'a head in parts',
      (id) => [frame(FRAME.headers, 0, id, []), frame(FRAME.continuation, 4, id, HEAD_FIELDS), data(id), trailers(id)],
    ],
    [
      'an informational head first',
      (id) => [frame(FRAME.headers, END_HEADERS, id, fields([':status', '103'])), head(id), data(id), trailers(id)],
    ],
    ['a hundred PINGs', (id) => [many(100, frame(FRAME.ping, 0, 0, u32(0, 1))), head(id), data(id), trailers(id)]],
    ['its end in a frame of its own', (id) => [head(id), data(id), trailers(id, ['grpc-status', '0'], ['x', 'y'])]],
  ])('%s', async (_, frames) => {
    const client = await against(writing(frames));
    expect((await unary(client)).status).toMatchObject({ code: status.OK });
  });

  it('a message cut into frames of one byte', async () => {
    const client = await against(
      writing((id) => [head(id), ...MESSAGE.map((byte) => frame(FRAME.data, 0, id, [byte])), trailers(id)]),
    );
    expect(String((await unary(client)).value)).toBe('hello');
  });

  it('no room for streams at first: the call waits for it', async () => {
    const none = [0, 3, ...u32(0)];
    byHand = await serveByHand((socket, id) => socket.write(Buffer.concat([head(id), data(id), trailers(id)])), none);
    const { port } = byHand;
    stage.set({ clusters: { a: { groups: [{ peers: [{ port }] }] } } });
    const { status: end } = await unary(stage.client(), {}, { deadline: Date.now() + 5_000 });
    // Either another connection has room, or time is over: no call waits for ever.
    expect([status.OK, status.DEADLINE_EXCEEDED, status.UNAVAILABLE]).toContain(end.code);
  });
});

describe('PINGs without an end', () => {
  it('end the connection or not, but never the process: the call ends in its time', async () => {
    const client = await against((socket, id) => {
      const flood = many(10_000, frame(FRAME.ping, 0, 0, u32(0, 1)));
      let left = 20;
      // Their answers are not read.
      socket.pause();
      const next = (): void => {
        if (left-- > 0 && !socket.destroyed) socket.write(flood, next);
        else if (!socket.destroyed) socket.end(Buffer.concat([head(id), data(id), trailers(id)]));
      };
      next();
    });
    const { status: end } = await unary(client);
    expect([status.OK, status.UNAVAILABLE, status.INTERNAL, status.RESOURCE_EXHAUSTED]).toContain(end.code);
  });
});

describe('RST_STREAM before the head', () => {
  const expected = new Map<number, number>([
    [7, status.OK],
    [8, status.CANCELLED],
    [11, status.RESOURCE_EXHAUSTED],
    [12, status.PERMISSION_DENIED],
  ]);

  it.each(Array.from({ length: 14 }, (_, code) => code))('with code %i', async (code) => {
    let calls = 0;
    const client = await against((socket, id) => {
      // The stream that was refused comes once more.
      if (++calls > 1) socket.write(Buffer.concat([head(id), data(id), trailers(id)]));
      else socket.write(frame(FRAME.reset, 0, id, u32(code)));
    });
    expect((await unary(client)).status.code).toBe(expected.get(code) ?? status.INTERNAL);
    expect(calls).toBe(code === 7 ? 2 : 1);
  });
});

describe('GOAWAY', () => {
  const codes = Array.from({ length: 14 }, (_, code) => code);

  it.each(codes)('with code %i before the call was looked at: it is sent again on another connection', async (code) => {
    const client = await against(writing(() => [frame(FRAME.goaway, 0, 0, u32(0, code))]));
    expect(String((await unary(client)).value)).toBe('hello');
    expect(byHand?.connections()).toBe(2);
  });

  it.each(codes)('with code %i and the call as the last one: its answer still comes', async (code) => {
    const client = await against(
      writing((id) => [frame(FRAME.goaway, 0, 0, u32(id, code)), head(id), data(id), trailers(id)]),
    );
    expect(String((await unary(client)).value)).toBe('hello');
    expect(String((await unary(client)).value)).toBe('hello');
    expect(byHand?.connections()).toBe(2);
  });

  it('for too many PINGs: the next call has another connection', async () => {
    const ping = Buffer.from([0, 0, 8, FRAME.ping, 0]);
    let pings = 0;
    byHand = await serveByHand((socket, id) => {
      socket.write(Buffer.concat([head(id), data(id), trailers(id)]));
      socket.on('data', (chunk: Buffer) => {
        // gRFC A8, ENHANCE_YOUR_CALM
        if (chunk.includes(ping) && ++pings === 1) socket.end(frame(FRAME.goaway, 0, 0, u32(id, 11)));
      });
    });
    const connectionKeepalive = { interval: { nanos: 20_000_000 }, timeout: { seconds: 5n } };
    const extra = { http2ProtocolOptions: { connectionKeepalive } };
    stage.set({ clusters: { a: { groups: [{ peers: [byHand] }], extra } } });
    const client = stage.client();
    expect(String((await unary(client)).value)).toBe('hello');
    await until(() => pings > 0);
    expect(String((await unary(client)).value)).toBe('hello');
    expect(byHand.connections()).toBe(2);
  });

  it('and the end of the connection under a call that was looked at is UNAVAILABLE', async () => {
    const client = await against((socket, id) => socket.end(frame(FRAME.goaway, 0, 0, u32(id, 0))));
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
  });

  it('twice, the second with fewer streams, has those sent again that are no longer among them', async () => {
    const client = await against(
      writing((id) => [
        frame(FRAME.goaway, 0, 0, u32(2 ** 31 - 1, 0)),
        frame(FRAME.goaway, 0, 0, u32(Math.max(id - 2, 0), 0)),
      ]),
    );
    expect(String((await unary(client)).value)).toBe('hello');
  });
});

describe('a connection that ends in the middle', () => {
  it.each<[string, (stream: number) => readonly Buffer[]]>([
    ['of a head', (id) => [head(id).subarray(0, 12)]],
    ['of a message', (id) => [head(id), data(id).subarray(0, 12)]],
    ['of trailers', (id) => [head(id), data(id), trailers(id).subarray(0, 10)]],
  ])('%s is UNAVAILABLE', async (_, frames) => {
    const client = await against((socket, id) => socket.end(Buffer.concat([...frames(id)])));
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    expect(String((await unary(client)).value)).toBe('hello');
  });

  it('after all of an answer is none', async () => {
    const client = await against((socket, id) =>
      socket.end(
        Buffer.concat([
          head(id),
          frame(FRAME.data, 0, id, MESSAGE),
          frame(FRAME.headers, END_HEADERS | END_STREAM, id, fields(['grpc-status', '5'])),
        ]),
      ),
    );
    expect((await unary(client)).status.code).toBe(status.NOT_FOUND);
  });
});
