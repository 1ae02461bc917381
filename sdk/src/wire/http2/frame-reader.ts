import { ConnectionFault, ERROR, FLAG, FRAME, INITIAL } from './codes.ts';

const HEADER = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

export interface FrameSink {
  /** Nothing more is wanted. */
  readonly isOver: boolean;
  /** A whole frame; its payload is `bytes[from, to)`, and is gone after the call. Data that is padded comes so too. */
  onFrame(frame: Frame, bytes: Buffer, from: number, to: number): void;
  /** A frame of data begins: so many bytes follow by `onData`, the last with `isLast`. At once where there are none. */
  onDataFrame(frame: Frame, length: number): void;
  onData(frame: Frame, chunk: Buffer, isLast: boolean): void;
}

/** Cuts what a peer sends into frames (RFC 9113 §4.1). Never keeps more than one frame of the size we allow. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** The beginning of a frame that is not whole, its header at least in part. */
  #partial: Buffer | undefined;
  #filled = 0;
  #data: Frame | undefined;
  #dataLeft = 0;
  #chunk: Buffer = EMPTY;
  #at = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * Hands on what has been pushed. Throws ConnectionFault for a frame that is longer than may be, and what the sink throws,
   * after which it goes on behind the frame that was thrown for.
   */
  run(): void {
    const chunk = this.#chunk;
    while (this.#at < chunk.length && !this.#sink.isOver) {
      if (this.#data !== undefined) this.#runData(this.#data, chunk);
      else if (this.#partial !== undefined) this.#fill(this.#partial, chunk);
      else this.#runFrame(chunk);
    }
    this.#chunk = EMPTY;
  }

  #runData(frame: Frame, chunk: Buffer): void {
    const at = this.#at;
    const to = Math.min(chunk.length, at + this.#dataLeft);
    this.#at = to;
    this.#dataLeft -= to - at;
    const isLast = this.#dataLeft === 0;
    if (isLast) this.#data = undefined;
    this.#sink.onData(frame, chunk.subarray(at, to), isLast);
  }

  /** A frame that begins in `chunk`. */
  #runFrame(chunk: Buffer): void {
    const at = this.#at;
    const left = chunk.length - at;
    const size = left < HEADER ? HEADER : this.#sizeOf(chunk, at);
    if (left >= size) {
      this.#at = at + size;
      this.#pass(chunk, at, at + size);
      return;
    }
    this.#partial = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
  }

  #fill(partial: Buffer, chunk: Buffer): void {
    const to = Math.min(chunk.length, this.#at + partial.length - this.#filled);
    chunk.copy(partial, this.#filled, this.#at, to);
    this.#filled += to - this.#at;
    this.#at = to;
    if (this.#filled < partial.length) return;
    const size = this.#sizeOf(partial, 0);
    if (size > partial.length) {
      this.#partial = Buffer.allocUnsafeSlow(size);
      partial.copy(this.#partial);
      return;
    }
    this.#partial = undefined;
    this.#pass(partial, 0, size);
  }

  /** How many bytes are needed of the frame that begins at `at`: of data the header is enough. */
  #sizeOf(bytes: Buffer, at: number): number {
    const length = lengthAt(bytes, at);
    if (length > INITIAL.frameSize) throw new ConnectionFault(ERROR.frameSize, `a frame of ${length} bytes`);
    return isPlainData(bytes, at) ? HEADER : HEADER + length;
  }

  #pass(bytes: Buffer, at: number, to: number): void {
    const frame = {
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
    };
    if (!isPlainData(bytes, at)) {
      this.#sink.onFrame(frame, bytes, at + HEADER, to);
      return;
    }
    const length = lengthAt(bytes, at);
    this.#dataLeft = length;
    this.#data = length === 0 ? undefined : frame;
    this.#sink.onDataFrame(frame, length);
  }
}

const lengthAt = (bytes: Buffer, at: number): number =>
  ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);

const isPlainData = (bytes: Buffer, at: number): boolean =>
  bytes[at + 3] === FRAME.data && ((bytes[at + 4] ?? 0) & FLAG.padded) === 0;

const EMPTY = Buffer.alloc(0);
