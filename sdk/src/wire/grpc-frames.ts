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

export interface FrameReader {
  /** Takes the next bytes; returns what is wrong with them, after which nothing more may be pushed. */
  push(chunk: Uint8Array): FrameFault | undefined;
  /** True between two messages: a stream that ends elsewhere was cut. */
  readonly isAtBoundary: boolean;
}

/**
 * Cuts a byte stream into messages. The claimed length is checked before a byte of the message is kept, so a peer that
 * announces 4 GiB costs nothing. A message is one fresh Uint8Array: a decoder may keep parts of it.
 */
export function createFrameReader(
  maxBytes: number,
  onMessage: (message: Uint8Array, isCompressed: boolean) => void,
  { takesCompressed = false } = {},
): FrameReader {
  const prefix = new Uint8Array(PREFIX);
  const view = new DataView(prefix.buffer);
  let prefixFilled = 0;
  let message: Uint8Array | undefined;
  let filled = 0;

  function take(chunk: Uint8Array, from: number, into: Uint8Array, at: number): number {
    const length = Math.min(chunk.length - from, into.length - at);
    into.set(chunk.subarray(from, from + length), at);
    return length;
  }

  function startMessage(): FrameFault | undefined {
    const length = view.getUint32(1);
    // Where no encoding is advertised a compressed message is the peer's fault (gRPC compression.md).
    if (prefix[0] !== 0 && !takesCompressed) return 'compressed';
    if ((prefix[0] ?? 0) > 1) return 'flag';
    if (length > maxBytes) return 'too-large';
    message = new Uint8Array(length);
    filled = 0;
    return undefined;
  }

  return {
    push(chunk) {
      let at = 0;
      for (;;) {
        if (message === undefined) {
          const taken = take(chunk, at, prefix, prefixFilled);
          at += taken;
          prefixFilled += taken;
          if (prefixFilled < PREFIX) return undefined;
          const fault = startMessage();
          if (fault !== undefined || message === undefined) return fault;
        }
        const taken = take(chunk, at, message, filled);
        at += taken;
        filled += taken;
        if (filled < message.length) return undefined;
        const complete = message;
        message = undefined;
        prefixFilled = 0;
        onMessage(complete, prefix[0] === 1);
      }
    },
    get isAtBoundary() {
      return message === undefined && prefixFilled === 0;
    },
  };
}
