import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { FLAG, FRAME } from './codes.ts';
import { FrameWriter } from './frame-writer.ts';

const PING = new Uint8Array(8);
const PING_BYTES = 17;

function recorded() {
  const writes: number[] = [];
  const write = (chunk: Buffer, _: string, done: () => void): void => {
    writes.push(chunk.length);
    done();
  };
  return { writes, writer: new FrameWriter(new Writable({ write }) as Socket) };
}

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

it('an answer to the peer goes with what is written next, in one write', async () => {
  const { writer, writes } = recorded();
  writer.answer(FRAME.ping, FLAG.ack, 0, PING);
  await tick();
  expect(writes).toEqual([]);
  writer.frame(FRAME.data, 0, 1, new Uint8Array(10));
  await tick();
  expect(writes).toEqual([PING_BYTES + 19]);
});

it('an answer that nothing follows goes at the end of the round', async () => {
  const { writer, writes } = recorded();
  writer.answer(FRAME.ping, FLAG.ack, 0, PING);
  writer.answer(FRAME.ping, FLAG.ack, 0, PING);
  await turn();
  await turn();
  expect(writes).toEqual([2 * PING_BYTES]);
});
