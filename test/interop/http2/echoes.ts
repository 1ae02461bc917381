import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Random } from '../../../sdk/src/clock.ts';
import { type Connected, POST } from '../../../sdk/src/wire/http2/peer.fixture.ts';

const CANCEL = 8;
const below = (random: Random, limit: number): number => random() % limit;
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bodies that are written in random pieces and read at a random pace come back whole, with their trailers; some are given up. */
export async function echoes(connected: Connected, random: Random, how: { count: number; atOnce: number }) {
  for (let left = how.count; left > 0; left -= how.atOnce) {
    await Promise.all(Array.from({ length: how.atOnce }, (_, i) => echo(connected, random, left + i)));
  }
}

async function echo({ ask }: Connected, random: Random, index: number): Promise<void> {
  const body = randomBytes(below(random, index % 5 === 0 ? 400_000 : 3_000));
  const isGivenUp = below(random, 4) === 0;
  const path = index % 7 === 0 ? '/slow' : '/';
  const fields = ['x-index', String(index), 'x-v', 'e'.repeat(below(random, 300))];
  const { told, stream } = ask([...POST.slice(0, -1), path, ...fields], false);
  told.onChunk = () => {
    if (isGivenUp && told.chunks.length > 2) stream.reset(CANCEL);
    if (told.chunks.length % 3 > 0) return;
    stream.pause();
    setImmediate(() => stream.resume());
  };
  for (let at = 0; at < body.length && !stream.isClosed; ) {
    const to = at + 1 + below(random, 30_000);
    const { rooms } = told;
    if (!stream.write(body.subarray(at, to))) while (told.rooms === rooms && !stream.isClosed) await turn();
    at = to;
  }
  stream.end();
  await told.closed;
  if (isGivenUp && told.closedWith === CANCEL) return;
  expect(told).toMatchObject({ status: 200, closedWith: 0, trailers: ['x-count', String(body.length)] });
  expect(digest(told.bytes)).toBe(digest(body));
  expect(told.headers[told.headers.indexOf('x-index') + 1]).toBe(String(index));
}
