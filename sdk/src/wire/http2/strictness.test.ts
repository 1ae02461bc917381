import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../connection/origin.fixture.ts';
import { ERROR } from './codes.ts';
import { connectTo, frame, framesOf, GET, literal, POST, RawPeers, type Told } from './peer.fixture.ts';
import { Tunnel } from './tunnel.ts';

/** What is at the edge of the rules: bodies where there are none, floods, callbacks that throw, answers before their requests. */
const peers = new RawPeers();
afterEach(() => peers.close());

const [DATA, HEADERS, RST, SETTINGS, GOAWAY, WINDOW] = [0, 1, 3, 4, 7, 8] as const;
const [END_STREAM, END_HEADERS] = [1, 4] as const;
const OK = [0x88];
const HEAD = [':method', 'HEAD', ...GET.slice(2)];
const number = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const answer = (stream: number, flags: number, ...fields: number[]) =>
  frame(HEADERS, END_HEADERS | flags, stream, fields);
const fine = (stream: number) => answer(stream, END_STREAM, ...OK);

describe('an answer', () => {
  it.each<[string, string[], number[]]>([
    ['to HEAD', HEAD, OK],
    ['of 204', GET, literal(':status', '204')],
    ['of 304', GET, [...literal(':status', '304'), ...literal('content-length', '1')]],
  ])('%s has no content: data is a reset', async (_, headers, fields) => {
    const peer = await peers.that(answer(1, 0, ...fields), frame(DATA, END_STREAM, 1, [1]), fine(3));
    const { ask } = await connectTo(peer.port);
    const [bad, good] = [ask(headers).told, ask().told];
    await Promise.all([bad.closed, good.closed]);
    expect(bad).toMatchObject({ closedWith: ERROR.protocol, chunks: [] });
    expect(good.closedWith).toBe(0);
  });

  it.each<[string, string[], number[]]>([
    ['to HEAD', HEAD, [...OK, ...literal('content-length', '500')]],
    ['of 304', GET, [...literal(':status', '304'), ...literal('content-length', '500')]],
    ['of 204', GET, [...literal(':status', '204'), ...literal('content-length', '0')]],
  ])('%s may name a length all the same (RFC 9113 §8.1.1)', async (_, headers, fields) => {
    const peer = await peers.that(answer(1, 0, ...fields), frame(DATA, END_STREAM, 1));
    const { ask } = await connectTo(peer.port);
    const { told } = ask(headers);
    await told.closed;
    expect(told.events).toEqual(['head', 'end', 'closed 0']);
  });

  it.each(['1e2', '2e2', '099', '+20', ' 20', '0x9'])('has a status of three digits, not %j', async (status) => {
    const peer = await peers.that(answer(1, END_STREAM, ...literal(':status', status)));
    const { told } = (await connectTo(peer.port)).ask();
    await told.closed;
    expect(told.closedWith).toBe(ERROR.protocol);
  });

  it('has its values without the spaces around them, in head and trailers', async () => {
    const padded = literal('x-a', ' \ta b\t ');
    const peer = await peers.that(
      answer(1, 0, ...OK, ...padded, ...literal('x-b', '  ')),
      answer(1, END_STREAM, ...padded),
    );
    const { told } = (await connectTo(peer.port)).ask();
    await told.closed;
    expect(told.headers).toEqual(['x-a', 'a b', 'x-b', '']);
    expect(told.trailers).toEqual(['x-a', 'a b']);
  });

  it('that is whole, and RST_STREAM without an error behind it: nothing of the request is sent any more', async () => {
    const peer = await peers.that(
      answer(1, 0, ...OK),
      frame(DATA, END_STREAM, 1, [1]),
      frame(RST, 0, 1, number(0)),
      fine(3),
    );
    const { ask } = await connectTo(peer.port);
    const { told, stream } = ask(POST, false);
    stream.pause();
    await ask().told.closed;
    expect(stream.write(Buffer.from('more'))).toBe(true);
    stream.end();
    stream.resume();
    await told.closed;
    expect(told.events).toEqual(['head', 'end', 'closed 0']);
    expect(framesOf(Buffer.concat(peer.received)).filter(({ type }) => type === DATA)).toEqual([]);
  });
});

describe('a peer that asks for too much', () => {
  it('of SETTINGS in one breath has its connection ended', async () => {
    const peer = await peers.that(
      ...Array.from({ length: 200 }, (_, i) => frame(SETTINGS, 0, 0, [0, 4, ...number(i % 2)])),
    );
    const { ask, ended } = await connectTo(peer.port);
    ask();
    expect(await ended).toMatchObject({ code: ERROR.enhanceYourCalm });
  });

  it('of tiny frames takes turns with everybody else', async () => {
    const count = 120_000;
    const peer = await peers.that(
      answer(1, 0, ...OK),
      Buffer.alloc(count * 10, frame(DATA, 0, 1, [7])),
      frame(DATA, 1, 1),
    );
    const { ask } = await connectTo(peer.port, { streamWindow: 1 << 20, connectionWindow: 1 << 20 });
    const { told } = ask();
    let [most, inTurn] = [0, 0];
    let turn = setImmediate(function next() {
      most = Math.max(most, inTurn);
      inTurn = 0;
      turn = setImmediate(next);
    });
    told.onChunk = () => {
      inTurn++;
    };
    await told.closed;
    clearImmediate(turn);
    expect(told.bytes.length).toBe(count);
    // What a turn may take, and one chunk of a socket over it.
    expect(Math.max(most, inTurn)).toBeLessThan(16_384 + 2 * 6_554);
  });

  it('of GOAWAYs: only the first that names fewer streams ends any', async () => {
    const goAway = (last: number) => frame(GOAWAY, 0, 0, [...number(last), ...number(0)]);
    const peer = await peers.that(goAway(2 ** 31 - 1), goAway(1), goAway(3), goAway(2 ** 31 - 1), fine(1));
    const { ask } = await connectTo(peer.port);
    const [looked, not] = [ask().told, ask().told];
    await Promise.all([looked.closed, not.closed]);
    expect(looked.closedWith).toBe(0);
    expect(not).toMatchObject({ closedWith: ERROR.refusedStream, events: ['closed 7'] });
  });

  it('with an answer to SETTINGS that says something breaks a rule', async () => {
    const peer = await peers.that(frame(SETTINGS, 1, 0, [0, 4, ...number(1)]));
    const { ask, ended } = await connectTo(peer.port);
    ask();
    expect(await ended).toMatchObject({ code: ERROR.frameSize });
  });
});

describe('windows', () => {
  it('of one stream that are widened let that one go on, and no other', async () => {
    const hello = Buffer.concat([frame(SETTINGS, 0, 0, [0, 4, ...number(0)]), frame(SETTINGS, 1, 0)]);
    const widen = frame(WINDOW, 0, 3, number(2));
    const peer = await peers.start((socket) => socket.write(widen), hello);
    const { ask } = await connectTo(peer.port);
    for (let i = 0; i < 3; i++) expect(ask(POST, false).stream.write(Buffer.from('body'))).toBe(false);
    const data = () => framesOf(Buffer.concat(peer.received)).filter(({ type }) => type === DATA);
    await until(() => data().length > 0);
    expect(data().map(({ stream, payload }) => [stream, String(payload)])).toEqual([[3, 'bo']]);
  });

  it('that are taken back below nothing send nothing until they are above it again', async () => {
    const window = (size: number) => frame(SETTINGS, 0, 0, [0, 4, ...number(size)]);
    const peer = await peers.start(() => {}, Buffer.concat([window(10), frame(SETTINGS, 1, 0)]));
    const { ask } = await connectTo(peer.port);
    const { stream, told } = ask(POST, false);
    expect(stream.write(Buffer.alloc(30))).toBe(false);
    const sent = () =>
      framesOf(Buffer.concat(peer.received)).reduce((sum, { type, payload }) => sum + (type ? 0 : payload.length), 0);
    await until(() => sent() === 10);
    const acks = () =>
      framesOf(Buffer.concat(peer.received)).filter(({ type, flags }) => type === SETTINGS && flags === 1);
    const [socket] = peer.sockets;
    // Ten are out: -10, then -4, then 1.
    socket?.write(Buffer.concat([window(0), frame(WINDOW, 0, 1, number(6))]));
    await until(() => acks().length === 2);
    expect(sent()).toBe(10);
    socket?.write(window(5));
    await until(() => sent() === 11);
    socket?.write(frame(WINDOW, 0, 1, number(100)));
    await until(() => sent() === 30 && told.rooms === 1);
  });
});

describe('what a listener throws is the process’s, and the others are told', () => {
  async function thrownBy(run: () => Promise<void>): Promise<unknown[]> {
    const thrown: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error.message));
    await run();
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    return thrown;
  }
  const throwing = (told: Told, name: 'onClosed' | 'onData' | 'onSent') =>
    Object.assign(told, {
      [name]() {
        throw new Error(name);
      },
    });

  it.each<[string, Uint8Array[]]>([
    ['the connection ends', [frame(99, 0, 0, new Uint8Array(17_000))]],
    ['a GOAWAY refuses them', [frame(GOAWAY, 0, 0, [...number(0), ...number(0)])]],
  ])('when %s', async (_, frames) => {
    const peer = await peers.that(...frames);
    const { ask } = await connectTo(peer.port);
    const thrown = await thrownBy(async () => {
      throwing(ask().told, 'onClosed');
      await ask().told.closed;
    });
    expect(thrown).toEqual(['onClosed']);
  });

  it('when one that was paused reads on: what comes behind it comes', async () => {
    const peer = await peers.that(
      answer(1, 0, ...OK),
      frame(DATA, 0, 1, [1]),
      frame(DATA, END_STREAM, 1, [2]),
      fine(3),
    );
    const { ask } = await connectTo(peer.port);
    const { told, stream } = ask();
    stream.pause();
    await ask().told.closed;
    throwing(told, 'onData');
    const thrown = await thrownBy(async () => {
      stream.resume();
      await told.closed;
      await new Promise<void>((resolve) => setImmediate(resolve));
    });
    expect(thrown).toEqual(['onData', 'onData']);
    expect(told.events).toEqual(['head', 'end', 'closed 0']);
  });

  it('a reset from within onSent closes once', async () => {
    const peer = await peers.that();
    const { ask } = await connectTo(peer.port);
    const { told, stream } = ask(POST, false);
    Object.assign(told, { onSent: () => stream.reset(ERROR.cancel) });
    stream.end();
    await told.closed;
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(told.events).toEqual(['closed 8']);
  });
});

it('a tunnel that its peer has ended is read to its end', async () => {
  const peer = await peers.that(
    answer(1, 0, ...OK),
    frame(DATA, 0, 1, [...Buffer.from('last ')]),
    frame(DATA, 1, 1, [...Buffer.from('words')]),
  );
  const { ask } = await connectTo(peer.port);
  const { told, stream } = ask(POST, false);
  const tunnel = new Tunnel(stream);
  Object.assign(told, {
    onData: (chunk: Buffer) => tunnel.onData(chunk),
    onEnd: () => tunnel.onEnd(),
    onClosed(code: number) {
      tunnel.onClosed(code);
      told.closedWith = code;
    },
  });
  tunnel.end();
  await until(() => told.closedWith === 0);
  const chunks: Buffer[] = [];
  for await (const chunk of tunnel) chunks.push(chunk as Buffer);
  expect(String(Buffer.concat(chunks))).toBe('last words');
  expect(tunnel.destroyed).toBe(true);
});
