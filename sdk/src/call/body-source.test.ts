import { describe, expect, it } from 'vitest';
import { BodySource } from './body-source.ts';

const chunk = (size: number, fill = 1): Uint8Array => new Uint8Array(size).fill(fill);

async function* stream(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield chunk(size);
}

async function read(source: BodySource): Promise<number[]> {
  const sizes: number[] = [];
  for await (const piece of source.reader()) sizes.push(piece.length);
  return sizes;
}

describe('a stream body', () => {
  it('up to the limit is sent again from its beginning, as often as wished', async () => {
    const source = new BodySource(stream(10, 20, 30), 60);
    expect(source.isWhole).toBe(false);
    expect(await read(source)).toEqual([10, 20, 30]);
    expect(source).toMatchObject({ isReplayable: true, isWhole: true });
    expect(await read(source)).toEqual([10, 20, 30]);
  });

  it('above the limit is sent once; a second reader fails', async () => {
    const source = new BodySource(stream(10, 20, 30), 59);
    expect(await read(source)).toEqual([10, 20, 30]);
    expect(source.isReplayable).toBe(false);
    await expect(read(source)).rejects.toThrow('more of the body has gone by than is kept');
  });

  it('of which part was taken is begun again, then read on', async () => {
    const source = new BodySource(stream(10, 20, 30), 100);
    const first = source.reader()[Symbol.asyncIterator]();
    expect((await first.next()).value?.length).toBe(10);
    expect(await read(source)).toEqual([10, 20, 30]);
    expect((await first.next()).value?.length).toBe(20);
  });

  it('asks its stream for a chunk once, however many read it', async () => {
    let asked = 0;
    const source = new BodySource(
      {
        [Symbol.asyncIterator]: () => ({
          next: () =>
            Promise.resolve(asked++ < 2 ? { done: false, value: chunk(1) } : { done: true, value: undefined }),
        }),
      },
      10,
    );
    expect(await Promise.all([read(source), read(source)])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(asked).toBe(3);
  });

  it('tells its own failure apart', async () => {
    const broken = new Error('disk');
    const source = new BodySource(
      (async function* () {
        yield chunk(1);
        throw broken;
      })(),
      10,
    );
    await expect(read(source)).rejects.toBe(broken);
    expect(source.failure).toEqual({ error: broken });
    expect(source.isReplayable).toBe(false);
  });

  it('is let go when the call ends, also while its next chunk is awaited', async () => {
    let isReturned = false;
    const source = new BodySource(
      {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise<never>(() => {}),
          return: () => {
            isReturned = true;
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      },
      10,
    );
    const reading = read(source);
    source.close();
    await expect(reading).rejects.toThrow('the call has ended');
    expect(isReturned).toBe(true);
  });
});
