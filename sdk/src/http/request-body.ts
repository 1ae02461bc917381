import { Readable } from 'node:stream';
import type { CallBody } from '../call/body-source.ts';
import { defaultOf } from '../defaults.ts';
import { type EncodedForm, encodeForm, isFormData, readForm } from './form-data.ts';

/** A request body, taken apart but not yet read: a call that never starts leaves it as it was. */
export interface RequestBody {
  /** What fetch would set as `content-type` where the caller set none. */
  readonly contentType: string | undefined;
  /** It can be opened again: for a redirect that keeps its method. */
  readonly replayable: boolean;
  readonly isEmpty: boolean;
  /** In bytes, where it is known before it is read. */
  readonly length?: number;
  open(): CallBody | Promise<CallBody>;
}

const NO_CALL_BODY: CallBody = { kind: 'none' };

export const NO_BODY: RequestBody = {
  contentType: undefined,
  replayable: true,
  isEmpty: true,
  length: 0,
  open: () => NO_CALL_BODY,
};

/** fetch's "extract a body" (WHATWG fetch §2.2.5), for values of any origin. Throws TypeError as fetch does. */
export function extractBody(value: unknown): RequestBody {
  if (value === undefined || value === null) return NO_BODY;
  if (typeof value === 'string') return ofText(value, 'text/plain;charset=UTF-8');
  if (typeof value !== 'object') return ofText(String(value), 'text/plain;charset=UTF-8');
  if (value instanceof URLSearchParams) {
    return ofText(value.toString(), 'application/x-www-form-urlencoded;charset=UTF-8');
  }
  // A copy: what was handed over is what is sent, whatever the caller does to its buffer meanwhile.
  if (ArrayBuffer.isView(value)) return ofBytes(copyOf(value), undefined);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    return ofBytes(new Uint8Array(value).slice(), undefined);
  }
  if (isFormData(value)) return ofForm(encodeForm(value));
  if (isBlob(value)) return ofBlob(value);
  if (Symbol.asyncIterator in value) return ofStream(value as AsyncIterable<unknown>);
  return ofText(String(value), 'text/plain;charset=UTF-8');
}

const copyOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();

const ofText = (text: string, contentType: string): RequestBody => ofBytes(Buffer.from(text), contentType);

function ofBytes(bytes: Uint8Array, contentType: string | undefined): RequestBody {
  const body: CallBody = { kind: 'bytes', bytes };
  return { contentType, replayable: true, isEmpty: false, length: bytes.byteLength, open: () => body };
}

function ofForm(form: EncodedForm): RequestBody {
  const open = (): CallBody => ({ kind: 'stream', stream: readForm(form), length: form.length });
  return { contentType: form.contentType, replayable: true, isEmpty: false, length: form.length, open };
}

/** The length the caller told by header. Throws what undici fails with where it knows better. */
export function withLength(body: RequestBody, length: number): RequestBody {
  if (body.length === length) return body;
  if (body.length !== undefined) {
    const error = new Error('Request body length does not match content-length header');
    throw Object.assign(error, {
      name: 'RequestContentLengthMismatchError',
      code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
    });
  }
  const open = async (): Promise<CallBody> => {
    const opened = await body.open();
    return opened.kind === 'stream' ? { ...opened, length } : opened;
  };
  return { ...body, length, open };
}

interface BlobLike {
  readonly size: number;
  readonly type: string;
  stream(): AsyncIterable<Uint8Array>;
}

function isBlob(value: object): value is BlobLike {
  const { size, stream } = value as Partial<BlobLike>;
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return (tag === 'Blob' || tag === 'File') && typeof size === 'number' && typeof stream === 'function';
}

function ofBlob(blob: BlobLike): RequestBody {
  const open = (): CallBody => ({ kind: 'stream', stream: blob.stream(), length: blob.size });
  return { contentType: blob.type || undefined, replayable: true, isEmpty: false, length: blob.size, open };
}

function ofStream(source: AsyncIterable<unknown>): RequestBody {
  const { locked } = source as { locked?: unknown };
  if (locked === true || (isStreamLike(source) && Readable.isDisturbed(source as unknown as Readable))) {
    throw new TypeError('Response body object should not be disturbed or locked');
  }
  const open = (): CallBody => ({ kind: 'stream', stream: bytesOf(source) });
  return { contentType: undefined, replayable: false, isEmpty: false, open };
}

const isStreamLike = (value: object): value is ReadableStream => 'locked' in value || 'readable' in value;

function bytesOf(source: AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  return 'getReader' in source
    ? { [Symbol.asyncIterator]: () => new StreamReading(source as unknown as ReadableStream<unknown>) }
    : bytesAndText(source);
}

async function* bytesAndText(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield typeof chunk === 'string' ? Buffer.from(chunk) : bytesOrFail(chunk);
}

function bytesOrFail(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`Received non-Uint8Array chunk: ${typeof chunk}`);
}

/** The stream inside a Request does not tell its length, though fetch would send one: a body that is at hand in whole is sent as bytes. */
export function bodyOfRequest(request: { readonly body: unknown; readonly bodyUsed: boolean }): RequestBody {
  if (request.bodyUsed) {
    throw new TypeError('Cannot construct a Request with a Request object that has already been used.');
  }
  const { body } = request;
  if (body === null || body === undefined) return NO_BODY;
  return {
    contentType: undefined,
    replayable: false,
    isEmpty: false,
    open: () => atHand(body as ReadableStream<Uint8Array>),
  };
}

async function atHand(stream: ReadableStream<Uint8Array>): Promise<CallBody> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const turn = new Promise<'later'>((resolve) => setImmediate(resolve, 'later'));
  for (;;) {
    const next = reader.read();
    // It is looked at by whoever reads on; until then a failure is nobody's.
    next.catch(() => {});
    const settled = size > defaultOf('bodyBufferBytes') ? 'later' : await Promise.race([next, turn]);
    if (settled === 'later') {
      const rest = new StreamReading(stream, { reader, chunks, next });
      return { kind: 'stream', stream: { [Symbol.asyncIterator]: () => rest } };
    }
    if (settled.done) return { kind: 'bytes', bytes: Buffer.concat(chunks) };
    chunks.push(settled.value);
    size += settled.value.byteLength;
  }
}

type Reader = ReadableStreamDefaultReader<unknown>;

interface Begun {
  readonly reader: Reader;
  readonly chunks: unknown[];
  readonly next: ReturnType<Reader['read']>;
}

/** A web stream as it is read. Given up, it is cancelled even while a chunk is awaited; its own iterator would wait for that. */
class StreamReading implements AsyncIterator<Uint8Array> {
  readonly #stream: ReadableStream<unknown>;
  readonly #chunks: unknown[];
  #reader: Reader | undefined;
  #begun: Begun['next'] | undefined;

  constructor(stream: ReadableStream<unknown>, begun?: Begun) {
    this.#stream = stream;
    this.#reader = begun?.reader;
    this.#chunks = begun?.chunks ?? [];
    this.#begun = begun?.next;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#chunks.length > 0) return { done: false, value: bytesOrFail(this.#chunks.shift()) };
    this.#reader ??= this.#stream.getReader();
    const step = await (this.#begun ?? this.#reader.read());
    this.#begun = undefined;
    return step.done ? { done: true, value: undefined } : { done: false, value: bytesOrFail(step.value) };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await (this.#reader ?? this.#stream).cancel();
    return { done: true, value: undefined };
  }
}
