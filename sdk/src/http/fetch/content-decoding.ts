import { type Duplex, Transform } from 'node:stream';
import type { ZlibOptions } from 'node:zlib';

/** undici's limit: a chain of encodings is a way to exhaust a client (GHSA-gm62-xv2j-4w53). */
const MOST_CODINGS = 5;

const NULL_BODY_STATUS = new Set([101, 103, 204, 205, 304]);

export const hasNullBody = (method: string, status: number): boolean =>
  method === 'HEAD' || method === 'CONNECT' || NULL_BODY_STATUS.has(status);

/** The codings to undo, last applied first; none where one is unknown: fetch then gives the bytes as they came. */
export function codingsOf(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  const codings = header
    .toLowerCase()
    .split(',')
    .reverse()
    .map((coding) => coding.trim());
  if (codings.length > MOST_CODINGS) {
    throw new Error(`too many content-encodings in response: ${codings.length}, maximum allowed is ${MOST_CODINGS}`);
  }
  return codings.every((coding) => KNOWN.has(coding)) ? codings : [];
}

const KNOWN = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

export interface DecodedBody {
  /** false: stop until `drained`. */
  write(chunk: Uint8Array): boolean;
  end(): void;
  destroy(): void;
  /** Takes decoded pieces again after `data` returned false. */
  resume(): void;
}

export interface DecodedSink {
  data(chunk: Uint8Array): boolean;
  end(): void;
  error(error: Error): void;
  drained(): void;
}

export function decodeBody(codings: readonly string[], sink: DecodedSink): DecodedBody {
  const steps = codings.map(createDecoder);
  const [first, last] = [steps[0] as Duplex, steps.at(-1) as Duplex];
  for (const [index, step] of steps.entries()) {
    step.on('error', (error: Error) => sink.error(error));
    const next = steps[index + 1];
    if (next) step.pipe(next);
  }
  last.on('data', (chunk: Uint8Array) => {
    if (!sink.data(chunk)) last.pause();
  });
  last.on('end', () => sink.end());
  first.on('drain', () => sink.drained());
  let written = false;
  return {
    write(chunk) {
      written = true;
      return first.write(chunk);
    },
    // zlib takes no input at all for an error; fetch takes it for an empty body.
    end: () => (written ? void first.end() : sink.end()),
    destroy: () => {
      for (const step of steps) step.destroy();
    },
    resume: () => void last.resume(),
  };
}

function createDecoder(coding: string): Transform {
  const zlib = loadZlib();
  const { constants } = zlib;
  // Sync flush, as cURL and undici: slightly broken endings are accepted the way browsers accept them.
  const lenient = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  switch (coding) {
    case 'br':
      return zlib.createBrotliDecompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      });
    case 'zstd':
      // RFC 9659 §3: a window of at most 8 MB.
      return zlib.createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
    case 'deflate':
      return createInflate(lenient);
    default:
      return zlib.createGunzip(lenient);
  }
}

/** Loaded for the first response that needs it. */
const loadZlib = (): typeof import('node:zlib') => process.getBuiltinModule('node:zlib');

/** "deflate" is zlib by the letter and raw deflate by habit: the first byte tells (RFC 1950 §2.2: CM = 8). */
function createInflate(options: ZlibOptions): Transform {
  let inflate: Transform | undefined;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      if (inflate === undefined) {
        const zlib = loadZlib();
        inflate = ((chunk[0] ?? 0) & 0x0f) === 0x08 ? zlib.createInflate(options) : zlib.createInflateRaw(options);
        inflate.on('data', (piece) => this.push(piece));
        inflate.on('error', (error) => this.destroy(error));
      }
      inflate.write(chunk, () => done());
    },
    flush(done) {
      if (inflate === undefined) return done();
      inflate.once('end', () => done());
      inflate.end();
    },
    destroy(error, done) {
      inflate?.destroy();
      done(error);
    },
  });
}
