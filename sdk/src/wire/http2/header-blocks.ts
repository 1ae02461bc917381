import { ConnectionFault, ERROR, FLAG, INITIAL } from './codes.ts';
import type { Frame } from './frame-reader.ts';
import { broken } from './frame-rules.ts';
import { HpackDecoder } from './hpack-decoder.ts';

export interface BlockLimits {
  /** What the peer's table of header fields may have; HTTP/2's 4,096 where undefined. */
  readonly headerTableSize: number | undefined;
  readonly maxHeaderListSize: number;
  readonly maxHeaderFields: number;
}

/** A whole block. */
export interface Fields {
  /** That began it. */
  readonly frame: Frame;
  /** undefined: larger than may be. */
  readonly list: string[] | undefined;
}

/** nghttp2's limit of frames that a header block may be cut into. */
const MAX_CONTINUATIONS = 8;

/** Puts header blocks together that come in several frames (RFC 9113 §4.3), and decodes them. */
export class HeaderBlocks {
  readonly #limits: BlockLimits;
  readonly #decoder: HpackDecoder;
  #pending: { readonly frame: Frame; readonly parts: Buffer[]; bytes: number } | undefined;

  constructor(limits: BlockLimits) {
    const { headerTableSize: maxTable = INITIAL.tableSize, maxHeaderListSize, maxHeaderFields } = limits;
    this.#limits = limits;
    this.#decoder = new HpackDecoder({ maxTable, maxList: maxHeaderListSize, maxFields: maxHeaderFields });
  }

  /** Nothing but its CONTINUATION may come. */
  get isWithin(): boolean {
    return this.#pending !== undefined;
  }

  /** The peer has taken our SETTINGS. */
  acknowledged(): void {
    this.#decoder.acknowledged();
  }

  /** HEADERS; undefined where it goes on. */
  begin(frame: Frame, bytes: Buffer, from: number, to: number): Fields | undefined {
    let [start, end] = [from, to];
    if (frame.flags & FLAG.padded) end -= bytes[start++] ?? 0;
    if (frame.flags & FLAG.priority) start += 5;
    if (start > end || end > to) throw broken('HEADERS with more padding than there is room');
    if (frame.flags & FLAG.endHeaders) return { frame, list: this.#decoder.decode(bytes, start, end) };
    this.#pending = { frame, parts: [Buffer.from(bytes.subarray(start, end))], bytes: end - start };
    return undefined;
  }

  /** CONTINUATION. */
  goOn({ stream, flags }: Frame, bytes: Buffer, from: number, to: number): Fields | undefined {
    const pending = this.#pending;
    if (pending === undefined || pending.frame.stream !== stream) throw broken('CONTINUATION of nothing');
    pending.parts.push(Buffer.from(bytes.subarray(from, to)));
    pending.bytes += to - from;
    if (pending.parts.length > MAX_CONTINUATIONS || pending.bytes > 2 * this.#limits.maxHeaderListSize) {
      throw new ConnectionFault(ERROR.enhanceYourCalm, 'a header block without an end');
    }
    if ((flags & FLAG.endHeaders) === 0) return undefined;
    this.#pending = undefined;
    return { frame: pending.frame, list: this.#decoder.decode(Buffer.concat(pending.parts), 0, pending.bytes) };
  }
}
