import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codingsOf, decodeBody } from './content-decoding.ts';

const TEXT = Buffer.from('hello hello hello '.repeat(50));

function decode(coding: string, pieces: readonly Uint8Array[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const body = decodeBody(codingsOf(coding), {
      data: (chunk) => chunks.push(chunk) > 0,
      end: () => resolve(Buffer.concat(chunks).toString()),
      error: reject,
      drained() {},
    });
    for (const piece of pieces) body.write(piece);
    body.end();
  });
}

describe('content codings', () => {
  it.each([
    ['gzip', zlib.gzipSync(TEXT)],
    ['x-gzip', zlib.gzipSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT)],
    ['deflate', zlib.deflateRawSync(TEXT)],
    ['br', zlib.brotliCompressSync(TEXT)],
    ['zstd', zlib.zstdCompressSync(TEXT)],
    ['GZIP, br', zlib.brotliCompressSync(zlib.gzipSync(TEXT))],
  ])('%s is undone, byte by byte', async (coding, bytes) => {
    expect(
      await decode(
        coding,
        [...bytes].map((byte) => Uint8Array.of(byte)),
      ),
    ).toBe(TEXT.toString());
  });

  it('without any input is an empty body, not an error', async () => expect(await decode('gzip', [])).toBe(''));

  it('that nobody knows leaves the bytes as they are', () => expect(codingsOf('gzip, sdch')).toEqual([]));

  it('in a chain of more than five are refused', () => {
    expect(() => codingsOf('gzip,gzip,gzip,gzip,gzip,gzip')).toThrow('too many content-encodings');
  });

  it('with broken bytes fail', async () => {
    await expect(decode('gzip', [Buffer.from('no gzip')])).rejects.toThrow();
  });
});
