import { ConnectionFault, ERROR } from './codes.ts';

/** nghttp2's limit of answers that wait for a peer that does not read. */
const MAX_UNREAD_ACKS = 1_000;
/** In what is read at once. Each may touch every stream there is. */
const MAX_SETTINGS = 100;
/** A frame is one, and so are eight bytes of its payload: a few milliseconds. */
const MAX_WORK = 16_384;

/** What a peer may ask of us for nothing (RFC 9113 §10.5). */
export class Patience {
  #unreadAcks = 0;
  #settings = 0;
  #work = 0;

  /** The next bytes have come. */
  read(): void {
    this.#settings = 0;
  }

  /** A frame, with what of it is not merely handed on. */
  frame(length: number): void {
    this.#work += 1 + (length >>> 3);
  }

  /** So much has been done that others are to have their turn; asked once. */
  takeRest(): boolean {
    if (this.#work < MAX_WORK) return false;
    this.#work = 0;
    return true;
  }

  /** The peer has read what was sent to it. */
  drained(): void {
    this.#unreadAcks = 0;
  }

  /** Throws when there were too many. */
  settings(): void {
    if (++this.#settings > MAX_SETTINGS) throw calm('SETTINGS without end');
  }

  /** An answer to a peer that has not read those before. Throws when there were too many. */
  unreadAck(): void {
    if (++this.#unreadAcks > MAX_UNREAD_ACKS) throw calm('it asks for answers and does not read them');
  }
}

const calm = (what: string): ConnectionFault => new ConnectionFault(ERROR.enhanceYourCalm, what);
