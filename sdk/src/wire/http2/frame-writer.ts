import type { Socket } from 'node:net';
import { FLAG, FRAME, INITIAL } from './codes.ts';

const HEADER = 9;
/** A place for frames; what does not fit goes out in another one. */
const SLAB = 16_384;
/** What is larger is not copied. */
const COPIED = 4_096;

/**
 * Frames on their way to the socket. What is written in one turn goes out together at its end: a request of several frames,
 * and the requests that were made in the same turn, are one write. Answers to the peer's own frames go with the next of those:
 * whoever has read an answer may write again in a moment, and a write is most of what a message costs.
 */
export class FrameWriter {
  readonly #socket: Socket;
  #slab = Buffer.allocUnsafeSlow(SLAB);
  /** What of the slab is not handed over yet. */
  #from = 0;
  #at = 0;
  #isScheduled = false;
  #isAwaiting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The socket has more than it wants. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    this.#schedule();
    this.#put(type, flags, stream, payload);
  }

  /** What the peer waits for, and nobody here: it may go with what is written next, in this round of the event loop. */
  answer(type: number, flags: number, stream: number, payload: Uint8Array): void {
    this.#await();
    this.#put(type, flags, stream, payload);
  }

  #put(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const at = this.#header(type, flags, stream, payload.length);
    if (payload.length > COPIED) {
      this.flush();
      this.#write(payload);
      return;
    }
    // Small ones: a copy costs less than one more buffer in the write.
    this.#slab.set(payload, at);
    this.#at += payload.length;
  }

  /** HEADERS, and what does not fit in one frame as CONTINUATION. The block may be written over afterwards. */
  headers(stream: number, block: Buffer, isEnd: boolean): void {
    const end = isEnd ? FLAG.endStream : 0;
    const size = INITIAL.frameSize;
    if (block.length <= COPIED) {
      this.frame(FRAME.headers, FLAG.endHeaders | end, stream, block);
      return;
    }
    const own = Buffer.from(block);
    for (let at = 0; at < own.length; at += size) {
      const flags = (at === 0 ? end : 0) | (at + size >= own.length ? FLAG.endHeaders : 0);
      this.frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, stream, own.subarray(at, at + size));
    }
  }

  raw(bytes: Uint8Array): void {
    this.#schedule();
    this.#room(bytes.length);
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A frame whose payload is one or two numbers of 32 bits. */
  words(type: number, stream: number, first: number, second?: number): void {
    this.#schedule();
    const at = this.#header(type, 0, stream, second === undefined ? 4 : 8);
    this.#slab.writeUInt32BE(first, at);
    if (second !== undefined) this.#slab.writeUInt32BE(second, at + 4);
    this.#at += second === undefined ? 4 : 8;
  }

  readonly flush = (): void => {
    this.#isScheduled = false;
    if (this.#at === this.#from) return;
    const bytes = this.#slab.subarray(this.#from, this.#at);
    this.#from = this.#at;
    this.#write(bytes);
  };

  #write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #header(type: number, flags: number, stream: number, length: number): number {
    this.#room(HEADER + Math.min(length, COPIED));
    const slab = this.#slab;
    const at = this.#at;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = type;
    slab[at + 4] = flags;
    slab[at + 5] = stream >>> 24;
    slab[at + 6] = stream >>> 16;
    slab[at + 7] = stream >>> 8;
    slab[at + 8] = stream;
    this.#at = at + HEADER;
    return this.#at;
  }

  #room(length: number): void {
    if (this.#at + length > SLAB) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#from = 0;
      this.#at = 0;
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.flush);
  }

  #await(): void {
    if (this.#isScheduled || this.#isAwaiting) return;
    this.#isAwaiting = true;
    setImmediate(this.#answered);
  }

  readonly #answered = (): void => {
    this.#isAwaiting = false;
    this.flush();
  };
}
