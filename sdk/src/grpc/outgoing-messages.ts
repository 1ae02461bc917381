import type { CallBody } from '../call/body-source.ts';
import { iteratorOf, type TakenBody } from '../connection/body-chunks.ts';
import type { RequestBody } from '../http/request-body.ts';
import type { Algorithm } from './algorithms.ts';
import { compress } from './compression.ts';
import type { GrpcMessageContext } from './types.ts';

/** grpc-js's WriteFlags.NoCompress */
const NO_COMPRESS = 2;
const PREFIX = 5;
/** What may be held for writers that have been called back already, and is taken at a time: a frame of HTTP/2. */
const AHEAD = 16_384;

interface Entry {
  readonly context: GrpcMessageContext;
  readonly message: Uint8Array;
}

const NO_CONTEXT: GrpcMessageContext = {};

/**
 * The messages of one call on their way out, in order. They are framed when they are taken, small ones together. Whoever wrote one is
 * called back at once while little is held, so that he goes on; else when the next is asked for: the stream has taken it and has room.
 */
export class OutgoingMessages {
  readonly #algorithm: Algorithm;
  readonly #queue: Entry[] = [];
  #isEnded = false;
  #hasBegun = false;
  /** Bytes in the queue. */
  #held = 0;
  #written: Entry | undefined;
  /** Frame of `#written`, which took its time. */
  #packed: Uint8Array | undefined;
  #fault: { readonly error: unknown } | undefined;
  #onMore: (() => void) | undefined;
  #isWaking = false;

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm;
  }

  push(context: GrpcMessageContext, message: Uint8Array): void {
    this.#held += message.length;
    if (this.#held > AHEAD) this.#queue.push({ context, message });
    else {
      acknowledge(context);
      this.#queue.push({ context: context.flags === undefined ? NO_CONTEXT : { flags: context.flags }, message });
    }
    if (this.#onMore === undefined || this.#isWaking) return;
    this.#isWaking = true;
    // Those that are written in one turn go together.
    process.nextTick(() => {
      this.#isWaking = false;
      this.#wake();
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Some of it has been taken as a stream: it cannot begin again. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** For another call in the place of this one. */
  drain(to: { sendMessageWithContext(context: GrpcMessageContext, message: Buffer): void; halfClose(): void }): void {
    for (const { context, message } of this.#queue.splice(0)) to.sendMessageWithContext(context, asBuffer(message));
    if (this.#isEnded) to.halfClose();
  }

  /** All of it at once where it is here, so that it can be sent as often as the policy wants. */
  body(): RequestBody {
    const isWhole = this.#isEnded && !this.#hasBegun;
    return {
      contentType: undefined,
      replayable: isWhole,
      isEmpty: false,
      open: () => {
        if (!isWhole) return { kind: 'stream', stream: this.#chunks() };
        const bytes = this.#whole();
        return bytes instanceof Promise ? bytes.then(asBody) : asBody(bytes);
      },
    };
  }

  #whole(): Uint8Array | Promise<Uint8Array> {
    const frames = this.#queue.map((entry) => this.#frame(entry));
    if (frames.every((frame) => frame instanceof Uint8Array)) return joined(frames);
    return Promise.all(frames).then(joined);
  }

  /** The call is over: nobody waits on for his message to be taken. */
  close(): void {
    this.#isEnded = true;
    acknowledge(this.#written?.context);
    this.#written = undefined;
    for (const { context } of this.#queue.splice(0)) acknowledge(context);
    this.#wake();
  }

  /** Given up before it has begun, it may begin anew. */
  #chunks(): TakenBody {
    let isClosed = false;
    const chunks = {
      take: (onMore: () => void) => (isClosed ? null : this.#take(onMore)),
      close: () => {
        isClosed = true;
      },
    };
    return { ...chunks, [Symbol.asyncIterator]: () => iteratorOf(chunks) };
  }

  #take(onMore: () => void): Uint8Array | null | undefined {
    this.#hasBegun = true;
    if (this.#fault !== undefined) throw this.#fault.error;
    const packed = this.#packed;
    this.#packed = undefined;
    if (packed !== undefined) return packed;
    acknowledge(this.#written?.context);
    const entry = this.#queue.shift();
    this.#written = entry;
    if (entry === undefined) {
      if (this.#isEnded) return null;
      this.#onMore = onMore;
      return undefined;
    }
    this.#held -= entry.message.length;
    const first = this.#frame(entry);
    if (first instanceof Uint8Array) return this.#withMore(first);
    this.#pack(first, onMore);
    return undefined;
  }

  #pack(frame: Promise<Uint8Array>, onMore: () => void): void {
    frame.then(
      (packed) => {
        this.#packed = packed;
        onMore();
      },
      (error: unknown) => {
        this.#fault = { error };
        onMore();
      },
    );
  }

  /** With the messages behind it, as long as they are small and nobody waits for them to be taken. */
  #withMore(first: Uint8Array): Uint8Array {
    const frames = [first];
    for (let left = AHEAD - first.length; ; ) {
      const next = this.#queue[0];
      if (next === undefined || next.context.callback !== undefined || next.message.length + PREFIX > left) break;
      if (!this.#isPlain(next)) break;
      const frame = framed(next.message, 0);
      this.#queue.shift();
      this.#held -= next.message.length;
      left -= frame.length;
      frames.push(frame);
    }
    return joined(frames);
  }

  #wake(): void {
    const onMore = this.#onMore;
    this.#onMore = undefined;
    onMore?.();
  }

  #isPlain({ context }: Entry): boolean {
    return this.#algorithm === 'identity' || ((context.flags ?? 0) & NO_COMPRESS) !== 0;
  }

  #frame(entry: Entry): Uint8Array | Promise<Uint8Array> {
    const algorithm = this.#algorithm;
    if (algorithm === 'identity' || this.#isPlain(entry)) return framed(entry.message, 0);
    return compress(algorithm, entry.message).then((packed) => framed(packed, 1));
  }
}

/** Never from inside the stream: what a callback throws is the application's. */
function acknowledge(context: GrpcMessageContext | undefined): void {
  const callback = context?.callback;
  if (callback !== undefined) queueMicrotask(() => callback());
}

function framed(message: Uint8Array, flag: 0 | 1): Uint8Array {
  const frame = Buffer.allocUnsafe(PREFIX + message.length);
  frame[0] = flag;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX);
  return frame;
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  const [only] = frames;
  return frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
}

const asBody = (bytes: Uint8Array): CallBody => ({ kind: 'bytes', bytes });

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
