import type { CallBody } from '../call/body-source.ts';
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
const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined };

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
  #wake: (() => void) | undefined;
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
    if (this.#wake === undefined || this.#isWaking) return;
    this.#isWaking = true;
    // Those that are written in one turn go together.
    process.nextTick(() => {
      this.#isWaking = false;
      this.#wake?.();
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
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
        if (!isWhole) return { kind: 'stream', stream: { [Symbol.asyncIterator]: () => this.#reader() } };
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
    this.#wake?.();
  }

  #reader(): AsyncIterator<Uint8Array> {
    let isClosed = false;
    return {
      next: async () => {
        this.#hasBegun = true;
        const written = this.#written;
        this.#written = undefined;
        acknowledge(written?.context);
        while (this.#queue.length === 0 && !this.#isEnded && !isClosed) await this.#pushed();
        const entry = isClosed ? undefined : this.#queue.shift();
        if (entry === undefined) return DONE;
        this.#held -= entry.message.length;
        this.#written = entry;
        const first = this.#frame(entry);
        return { done: false, value: first instanceof Uint8Array ? this.#withMore(first) : await first };
      },
      return: () => {
        isClosed = true;
        this.#wake?.();
        return Promise.resolve(DONE);
      },
    };
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

  #pushed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
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
