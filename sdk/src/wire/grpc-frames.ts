/** gRPC's length-prefixed messages (PROTOCOL-HTTP2): one flag byte, four bytes of length, the message. */

const PREFIX = 5;

export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, PREFIX);
  return framed;
}

/** `compressed`: although no encoding was offered; `flag`: neither 0 nor 1. */
export type FrameFault = 'compressed' | 'flag' | 'too-large';

/** Of a message that is copied out of what has come. */
type OnMessage = (message: Buffer, isCompressed: boolean) => void;

/**
 * Cuts a byte stream into messages. The claimed length is checked before a byte of the message is kept, so a peer that
 * announces 4 GiB costs nothing. A message is a copy: a decoder may keep parts of it without what came beside it.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onMessage: OnMessage;
  readonly #takesCompressed: boolean;
  /** Of a prefix that has not come whole, byte by byte. */
  #flag = 0;
  #length = 0;
  #prefixFilled = 0;
  #message: Buffer | undefined;
  #filled = 0;

  constructor(maxBytes: number, onMessage: OnMessage, { takesCompressed = false } = {}) {
    this.#maxBytes = maxBytes;
    this.#onMessage = onMessage;
    this.#takesCompressed = takesCompressed;
  }

  /** Takes the next bytes; returns what is wrong with them, after which nothing more may be pushed. */
  push(chunk: Uint8Array): FrameFault | undefined {
    let at = 0;
    for (;;) {
      if (this.#message === undefined) {
        at = this.#readPrefix(chunk, at);
        if (this.#prefixFilled < PREFIX) return undefined;
        const fault = this.#fault();
        if (fault !== undefined) return fault;
        this.#message = Buffer.allocUnsafe(this.#length);
        this.#filled = 0;
      }
      const message = this.#message;
      const length = Math.min(chunk.length - at, message.length - this.#filled);
      message.set(at === 0 && length === chunk.length ? chunk : chunk.subarray(at, at + length), this.#filled);
      at += length;
      this.#filled += length;
      if (this.#filled < message.length) return undefined;
      this.#message = undefined;
      this.#prefixFilled = 0;
      this.#onMessage(message, this.#flag === 1);
    }
  }

  /** True between two messages: a stream that ends elsewhere was cut. */
  get isAtBoundary(): boolean {
    return this.#message === undefined && this.#prefixFilled === 0;
  }

  #readPrefix(chunk: Uint8Array, from: number): number {
    let at = from;
    for (; this.#prefixFilled < PREFIX && at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#prefixFilled === 0) {
        this.#flag = byte;
        this.#length = 0;
      } else this.#length = this.#length * 256 + byte;
      this.#prefixFilled++;
    }
    return at;
  }

  #fault(): FrameFault | undefined {
    // Where no encoding is advertised a compressed message is the peer's fault (gRPC compression.md).
    if (this.#flag !== 0 && !this.#takesCompressed) return 'compressed';
    if (this.#flag > 1) return 'flag';
    return this.#length > this.#maxBytes ? 'too-large' : undefined;
  }
}
