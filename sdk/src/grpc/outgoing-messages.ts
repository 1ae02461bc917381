import type { CallBody } from '../call/body-source.ts';
import type { RequestBody } from '../http/request-body.ts';
import type { Algorithm } from './algorithms.ts';
import { compress } from './compression.ts';
import type { GrpcMessageContext } from './types.ts';

/** grpc-js's WriteFlags.NoCompress */
const NO_COMPRESS = 2;
const PREFIX = 5;

interface Entry {
  readonly context: GrpcMessageContext;
  readonly message: Uint8Array;
}

const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined };

/**
 * The messages of one call on their way out, in order. They are framed when they are taken, and whoever wrote one is called
 * back when the next one is asked for: the stream has taken it and has room.
 */
export class OutgoingMessages {
  readonly #algorithm: Algorithm;
  readonly #queue: Entry[] = [];
  #isEnded = false;
  #hasBegun = false;
  #written: Entry | undefined;
  #wake: (() => void) | undefined;

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm;
  }

  push(context: GrpcMessageContext, message: Uint8Array): void {
    this.#queue.push({ context, message });
    this.#wake?.();
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
    acknowledge(this.#written);
    this.#written = undefined;
    for (const entry of this.#queue.splice(0)) acknowledge(entry);
    this.#wake?.();
  }

  #reader(): AsyncIterator<Uint8Array> {
    let isClosed = false;
    return {
      next: async () => {
        this.#hasBegun = true;
        const written = this.#written;
        this.#written = undefined;
        acknowledge(written);
        while (this.#queue.length === 0 && !this.#isEnded && !isClosed) await this.#pushed();
        const entry = isClosed ? undefined : this.#queue.shift();
        if (entry === undefined) return DONE;
        this.#written = entry;
        return { done: false, value: await this.#frame(entry) };
      },
      return: () => {
        isClosed = true;
        this.#wake?.();
        return Promise.resolve(DONE);
      },
    };
  }

  #pushed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  #frame({ context, message }: Entry): Uint8Array | Promise<Uint8Array> {
    const algorithm = this.#algorithm;
    if (algorithm === 'identity' || (context.flags ?? 0) & NO_COMPRESS) return framed(message, 0);
    return compress(algorithm, message).then((packed) => framed(packed, 1));
  }
}

/** Never from inside the stream: what a callback throws is the application's. */
function acknowledge(entry: Entry | undefined): void {
  const callback = entry?.context.callback;
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
