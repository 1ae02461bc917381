import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../connection/origin.fixture.ts';
import { ERROR } from './codes.ts';
import { connectTo, frame, framesOf, HELLO, literal, POST, RawPeers, type Told } from './peer.fixture.ts';

/** Servers that break rules: what they break ends, their stream or their connection, and nothing else. */
const peers = new RawPeers();
afterEach(() => peers.close());

const [DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const;
const [END_STREAM, END_HEADERS, PADDED] = [1, 4, 8] as const;
/** `:status: 200` */
const OK = [0x88];
const head = frame(HEADERS, END_HEADERS, 1, OK);
const number = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
describe('a connection ends with a GOAWAY, and its streams with it, when its peer sends', () => {
  it.each<[string, number, Uint8Array[]]>([
    ['data of no stream', ERROR.protocol, [frame(DATA, 0, 0, [1])]],
    ['data of a stream that was never begun', ERROR.protocol, [frame(DATA, 0, 7, [1])]],
    ['data of a stream of its own', ERROR.protocol, [frame(DATA, 0, 2, [1])]],
    ['headers of a stream that was never begun', ERROR.protocol, [frame(HEADERS, END_HEADERS, 9, OK)]],
    ['headers of no stream', ERROR.protocol, [frame(HEADERS, END_HEADERS, 0, OK)]],
    ['a push', ERROR.protocol, [frame(PUSH, END_HEADERS, 1, [0, 0, 0, 2, 0x82])]],
    ['CONTINUATION of nothing', ERROR.protocol, [frame(CONTINUATION, END_HEADERS, 1, OK)]],
    ['a PING within a header block', ERROR.protocol, [frame(HEADERS, 0, 1, OK), frame(PING, 0, 0, number(0))]],
    ['data within a header block', ERROR.protocol, [frame(HEADERS, 0, 1, OK), frame(DATA, 0, 1, [1])]],
    ['CONTINUATION of another stream', ERROR.protocol, [frame(HEADERS, 0, 1, OK), frame(CONTINUATION, 4, 3, [])]],
    ['a header block in endless parts', ERROR.enhanceYourCalm, [frame(HEADERS, 0, 1, OK), ...continuations(50, 1)]],
    ['a header block without an end', ERROR.enhanceYourCalm, [frame(HEADERS, 0, 1, OK), ...continuations(8, 16_000)]],
    ['a header block that is none', ERROR.compression, [frame(HEADERS, END_HEADERS, 1, [0xff])]],
    ['a PING of seven bytes', ERROR.frameSize, [frame(PING, 0, 0, [1, 2, 3, 4, 5, 6, 7])]],
    ['a PING of a stream', ERROR.protocol, [frame(PING, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0])]],
    ['SETTINGS of five bytes', ERROR.frameSize, [frame(SETTINGS, 0, 0, [1, 2, 3, 4, 5])]],
    ['SETTINGS of a stream', ERROR.protocol, [frame(SETTINGS, 0, 1)]],
    ['an initial window wider than there is', ERROR.flowControl, [frame(SETTINGS, 0, 0, [0, 4, ...number(2 ** 31)])]],
    ['a largest frame too small', ERROR.protocol, [frame(SETTINGS, 0, 0, [0, 5, ...number(100)])]],
    ['pushes switched on', ERROR.protocol, [frame(SETTINGS, 0, 0, [0, 2, ...number(1)])]],
    ['RST_STREAM of three bytes', ERROR.frameSize, [frame(RST, 0, 1, [0, 0, 0])]],
    ['RST_STREAM of a stream that was never begun', ERROR.protocol, [frame(RST, 0, 5, number(8))]],
    ['GOAWAY of four bytes', ERROR.frameSize, [frame(GOAWAY, 0, 0, number(0))]],
    ['PRIORITY of four bytes', ERROR.frameSize, [frame(PRIORITY, 0, 1, number(0))]],
    ['WINDOW_UPDATE of three bytes', ERROR.frameSize, [frame(WINDOW, 0, 1, [0, 0, 1])]],
    ['a window of the connection made wider by nothing', ERROR.protocol, [frame(WINDOW, 0, 0, number(0))]],
    ['a window of the connection wider than there is', ERROR.flowControl, [frame(WINDOW, 0, 0, number(2 ** 31 - 1))]],
    ['a frame longer than we take', ERROR.frameSize, [frame(DATA, 0, 1, new Uint8Array(16_385))]],
    ['padding longer than its frame', ERROR.protocol, [head, frame(DATA, PADDED, 1, [5, 1, 2])]],
    ['padding without its length', ERROR.protocol, [head, frame(DATA, PADDED, 1, [])]],
    ['padding longer than its headers', ERROR.protocol, [frame(HEADERS, END_HEADERS | PADDED, 1, [9, 0x88])]],
  ])('%s', async (_, code, frames) => {
    const peer = await peers.that(...frames);
    const { ask, ended, client } = await connectTo(peer.port);
    const asked = [ask(), ask()];
    expect(await ended).toMatchObject({ code });
    for (const { told } of asked) {
      await told.closed;
      expect(told.events.filter((event) => event.startsWith('closed'))).toHaveLength(1);
      expect(told.closedWith).not.toBe(0);
    }
    expect(client.request(POST, true, asked[0]?.told as Told)).toBeUndefined();
    const last = () => framesOf(Buffer.concat(peer.received)).at(-1);
    await until(() => last()?.type === GOAWAY);
    expect(last()?.payload.readUInt32BE(4)).toBe(code);
  });

  it('a first frame that is none of SETTINGS', async () => {
    const peer = await peers.start(() => {}, frame(PING, 0, 0, new Uint8Array(8)));
    expect(await (await connectTo(peer.port)).ended).toMatchObject({ code: ERROR.protocol });
  });

  it('HTTP/1.1', async () => {
    const peer = await peers.start(() => {}, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await (await connectTo(peer.port)).ended).toMatchObject({ code: ERROR.frameSize });
  });

  it('PINGs without end, whose answers it does not read', async () => {
    const ping = Buffer.concat(Array.from({ length: 1_000 }, () => frame(PING, 0, 0, new Uint8Array(8))));
    const peer = await peers.start((socket) => {
      socket.pause();
      const more = (): void => {
        if (!socket.destroyed) socket.write(ping, () => setImmediate(more));
      };
      more();
    });
    const { ask, ended } = await connectTo(peer.port);
    ask();
    expect(await ended).toMatchObject({ code: ERROR.enhanceYourCalm });
  });
});

function continuations(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, () => frame(CONTINUATION, 0, 1, new Uint8Array(length)));
}

function dataOf(stream: number, count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, () => frame(DATA, 0, stream, new Uint8Array(length)));
}

describe('a stream is reset, and its connection goes on, when its peer sends', () => {
  const answer = (...fields: number[]) => [frame(HEADERS, END_HEADERS, 1, fields)];
  it.each<[string, number, Uint8Array[]]>([
    ['a head without a status', ERROR.protocol, answer(...literal('x', '1'))],
    ['a status of two digits', ERROR.protocol, answer(...literal(':status', '20'))],
    ['two statuses', ERROR.protocol, answer(0x88, 0x88)],
    ['a pseudo-header behind others', ERROR.protocol, answer(...literal('x', '1'), 0x88)],
    ['a name in upper case', ERROR.protocol, answer(0x88, ...literal('X-A', '1'))],
    ['an empty name', ERROR.protocol, answer(0x88, ...literal('', '1'))],
    ['a value with a line break', ERROR.protocol, answer(0x88, ...literal('x', 'a\r\nb'))],
    ['a header of the connection', ERROR.protocol, answer(0x88, ...literal('connection', 'close'))],
    ['a switch of protocols', ERROR.protocol, answer(...literal(':status', '101'))],
    ['an informational head as its end', ERROR.protocol, [frame(HEADERS, 5, 1, literal(':status', '103'))]],
    ['data before its head', ERROR.protocol, [frame(DATA, 0, 1, [1])]],
    ['trailers that are not its end', ERROR.protocol, [head, frame(HEADERS, END_HEADERS, 1, literal('x', '1'))]],
    ['a pseudo-header in its trailers', ERROR.protocol, [head, frame(HEADERS, 5, 1, OK)]],
    ['two lengths', ERROR.protocol, answer(0x88, ...length('1'), ...length('2'))],
    ['less than its length', ERROR.protocol, [...answer(0x88, ...length('3')), frame(DATA, END_STREAM, 1, [1])]],
    ['more than its length', ERROR.protocol, [...answer(0x88, ...length('1')), frame(DATA, END_STREAM, 1, [1, 2])]],
    ['a head larger than may be', ERROR.enhanceYourCalm, answer(0x88, ...large())],
    ['a head of more fields than may be', ERROR.enhanceYourCalm, answer(...Array.from({ length: 200 }, () => 0x88))],
    ['a window made wider by nothing', ERROR.protocol, [frame(WINDOW, 0, 1, number(0))]],
    ['a window wider than there is', ERROR.flowControl, [frame(WINDOW, 0, 1, number(2 ** 31 - 1))]],
  ])('%s', async (_, code, frames) => {
    const fine = [frame(HEADERS, END_HEADERS, 3, OK), frame(DATA, END_STREAM, 3, [7])];
    const peer = await peers.that(...frames, ...dataOf(1, 1, 3), ...fine);
    const { ask, client } = await connectTo(peer.port);
    const bad = ask(POST, false).told;
    const good = ask().told;
    await Promise.all([bad.closed, good.closed]);
    expect(bad.closedWith).toBe(code);
    expect(good).toMatchObject({ status: 200, closedWith: 0 });
    expect([...good.bytes]).toEqual([7]);
    expect(client.isOver).toBe(false);
  });
});

function length(text: string): number[] {
  return literal('content-length', text);
}

function large(): number[] {
  const fields: number[] = [];
  for (let i = 0; i < 100; i++) fields.push(...literal('x', 'v'.repeat(120)));
  return [...fields, ...Array.from({ length: 100 }, () => literal('y', 'v'.repeat(20))).flat()];
}

it('more data than the window of a stream that nobody reads is a reset', async () => {
  const peer = await peers.that(head, ...dataOf(1, 5, 16_384));
  const { ask, client } = await connectTo(peer.port);
  const { told, stream } = ask();
  stream.pause();
  await told.closed;
  expect(told).toMatchObject({ closedWith: ERROR.flowControl, chunks: [] });
  expect(client.isOver).toBe(false);
});

describe('what is allowed though nobody needs it', () => {
  it('frames of unknown types, PRIORITY, padding, reserved bits, frames of a stream that is over', async () => {
    const peer = await peers.that(
      frame(77, 255, 3, [1, 2, 3]),
      frame(PRIORITY, 0, 1, [0, 0, 0, 3, 1]),
      frame(SETTINGS, 0, 0, [0, 99, 0, 0, 0, 1]),
      frame(HEADERS, END_HEADERS | PADDED | 32, (2 ** 31 + 1) >>> 0, [2, 0, 0, 0, 3, 1, 0x88, 0, 0]),
      frame(DATA, PADDED, 1, [3, 1, 2, 0, 0, 0]),
      frame(DATA, PADDED | END_STREAM, 1, [0]),
      frame(RST, 0, 1, number(0)),
      frame(WINDOW, 0, 1, number(5)),
      frame(DATA, 0, 1, [9]),
    );
    const { ask, client } = await connectTo(peer.port);
    const { told } = ask();
    await told.closed;
    expect(told.events).toEqual(['head', 'end', 'closed 0']);
    expect([...told.bytes]).toEqual([1, 2]);
    await new Promise<void>((resolve) => client.ping(resolve) ?? resolve());
    expect(client.isOver).toBe(false);
  });

  it('an answer before the request has ended, and RST_STREAM without an error behind it', async () => {
    const peer = await peers.that(frame(HEADERS, 5, 1, OK), frame(RST, 0, 1, number(0)));
    const { ask } = await connectTo(peer.port);
    const { told } = ask(POST, false);
    await told.closed;
    expect(told.events).toEqual(['head', 'end', 'closed 0']);
  });
});

it('random frames end nothing but their connection', async () => {
  const anyFrame = fc
    .record({
      type: fc.nat({ max: 11 }),
      flags: fc.constantFrom(0, 1, 4, 5, 8, 13, 32, 255),
      stream: fc.constantFrom(0, 1, 2, 3, 5, 2 ** 31 - 1),
      payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(new Uint8Array(4), Uint8Array.of(0x88))),
    })
    .map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), fc.nat({ max: 30 }), async (frames, cut) => {
      const bytes = Buffer.concat(frames);
      const peer = await peers.start((socket) => {
        socket.write(bytes.subarray(0, cut));
        setImmediate(() => socket.end(bytes.subarray(cut)));
      });
      const { ask, ended, socket } = await connectTo(peer.port);
      const asked = [ask(), ask(POST, false)];
      await ended;
      for (const { told } of asked) {
        await told.closed;
        expect(told.events.filter((event) => event.startsWith('closed'))).toHaveLength(1);
      }
      if (!socket.closed) await once(socket, 'close');
      peer.close();
    }),
    { numRuns: 150 },
  );
});

it('greets with the preface, SETTINGS and its window, and answers those of the peer', async () => {
  const peer = await peers.that(frame(HEADERS, 5, 1, OK));
  const { ask } = await connectTo(peer.port);
  const { told } = ask();
  await told.closed;
  const bytes = Buffer.concat(peer.received);
  expect(bytes.subarray(0, 24).toString('latin1')).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  expect(framesOf(bytes).map(({ type, flags }) => [type, flags])).toEqual([
    [SETTINGS, 0],
    [WINDOW, 0],
    [SETTINGS, 1],
    [HEADERS, 5],
  ]);
  expect(HELLO.length).toBe(18);
});
