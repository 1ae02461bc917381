import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IncomingMessages } from './incoming-messages.ts';
import { OutgoingMessages } from './outgoing-messages.ts';
import type { CallEnd } from './status.ts';

/** Reads as a client that wants each message as soon as it has the one before. */
function reading(
  maxBytes: number,
  chunks: readonly Uint8Array[],
): Promise<{ texts: string[]; end: CallEnd | undefined }> {
  return new Promise((resolve) => {
    const texts: string[] = [];
    const incoming = new IncomingMessages(maxBytes, {
      onMessage: (message) => {
        texts.push(message.toString('latin1'));
        incoming.read();
      },
      onDrained: () => resolve({ texts, end: undefined }),
      onRoom() {},
      onFault: (end) => resolve({ texts, end }),
    });
    incoming.algorithm = 'gzip';
    incoming.read();
    for (const chunk of chunks) incoming.push(chunk);
    incoming.end();
  });
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const frame = (message: Uint8Array, flag: number): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

describe('messages', () => {
  it('come in order and whole however they are cut, packed or not', async () => {
    const messages = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.boolean()), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.nat(), { maxLength: 12 }), async (list, at) => {
        const frames = list.map(([bytes, isPacked]) => (isPacked ? frame(gzipSync(bytes), 1) : frame(bytes, 0)));
        const { texts, end } = await reading(1_000, cut(Buffer.concat(frames), at));
        expect(end).toBeUndefined();
        expect(texts).toEqual(list.map(([bytes]) => Buffer.from(bytes).toString('latin1')));
      }),
      { numRuns: 60 },
    );
  });

  it('end with a status whatever bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(), { maxLength: 5 }), async (bytes, at) => {
        const { end } = await reading(50, cut(bytes, at));
        expect([undefined, 8, 13]).toContain(end?.code);
      }),
    );
  });

  it('go out as one body where all are written at once, and the body can be had again', async () => {
    const outgoing = new OutgoingMessages('identity');
    outgoing.push({}, Buffer.from('ab'));
    outgoing.end();
    for (let n = 0; n < 2; n++) {
      expect(await outgoing.body().open()).toEqual({ kind: 'bytes', bytes: frame(Buffer.from('ab'), 0) });
    }
  });

  it('go out as a stream otherwise: small ones at once and together, and their writers go on; large ones when the next is wanted', async () => {
    const outgoing = new OutgoingMessages('identity');
    const taken: string[] = [];
    const large = Buffer.alloc(20_000, 'x');
    const write = (text: string, message: Uint8Array = Buffer.from(text)): void =>
      outgoing.push({ callback: () => taken.push(text) }, message);
    write('a');
    const body = await outgoing.body().open();
    if (body.kind !== 'stream') throw new Error(body.kind);
    const reader = body.stream[Symbol.asyncIterator]();
    const plain = (...texts: string[]) => Buffer.concat(texts.map((text) => frame(Buffer.from(text), 0)));
    expect(await reader.next()).toEqual({ done: false, value: plain('a') });
    expect(taken).toEqual(['a']);
    const next = reader.next();
    for (const text of ['b', 'c', 'd']) write(text);
    write('large', large);
    write('after');
    expect(await next).toEqual({ done: false, value: plain('b', 'c', 'd') });
    expect(taken).toEqual(['a', 'b', 'c', 'd']);
    expect(await reader.next()).toEqual({ done: false, value: frame(large, 0) });
    expect(taken).toEqual(['a', 'b', 'c', 'd']);
    expect(await reader.next()).toEqual({ done: false, value: plain('after') });
    expect(taken).toEqual(['a', 'b', 'c', 'd', 'large']);
    write('e');
    outgoing.close();
    outgoing.close();
    await Promise.resolve();
    expect(taken).toEqual(['a', 'b', 'c', 'd', 'large', 'e', 'after']);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });
});
