import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import type { Algorithm } from './algorithms.ts';

const packers = { gzip: promisify(gzip), deflate: promisify(deflate) };
const unpackers = {
  gzip: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip),
  deflate: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate),
};

export const compress = (algorithm: Exclude<Algorithm, 'identity'>, message: Uint8Array): Promise<Uint8Array> =>
  packers[algorithm](message);

/** Never more than `maxBytes` of memory: what would become larger is refused while it is unpacked. */
export const decompress = (
  algorithm: Exclude<Algorithm, 'identity'>,
  message: Uint8Array,
  maxBytes: number,
): Promise<Buffer> => unpackers[algorithm](message, { maxOutputLength: maxBytes });

/** What zlib says of a message that became larger. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
