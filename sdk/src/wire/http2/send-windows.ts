import { ConnectionFault, ERROR, INITIAL, LARGEST_WINDOW } from './codes.ts';
import type { FrameWriter } from './frame-writer.ts';
import { throwLater } from './throw-later.ts';

/** A stream that has something to send. */
export interface Sender {
  /** One frame, if the windows let one go. It waits again where there is more, and its own window is not what is in the way. */
  sendNext(): void;
  roomAgain(): void;
}

/** What may be sent on a connection (RFC 9113 §5.2), and who waits for it. */
export class SendWindows {
  readonly writer: FrameWriter;
  /** Octets that may be sent, on any stream. */
  left: number = INITIAL.window;
  peerFrameSize: number = INITIAL.frameSize;
  /** Those that only this window holds up; a stream's own is told by its own WINDOW_UPDATE. */
  readonly #waiting = new Set<Sender>();
  readonly #crowded = new Set<Sender>();

  constructor(writer: FrameWriter) {
    this.writer = writer;
  }

  /** It has something to send, and the connection has no window for it. */
  wait(sender: Sender): void {
    this.#waiting.add(sender);
  }

  /** It waits for the socket. */
  crowded(sender: Sender): void {
    this.#crowded.add(sender);
  }

  forget(sender: Sender): void {
    if (this.#waiting.size > 0) this.#waiting.delete(sender);
    if (this.#crowded.size > 0) this.#crowded.delete(sender);
  }

  /** WINDOW_UPDATE of the connection: in turn, a frame of each that waits. */
  widen(by: number): void {
    this.left += by;
    if (this.left > LARGEST_WINDOW) throw tooWide();
    for (const sender of this.#waiting) {
      if (this.left <= 0) return;
      this.#waiting.delete(sender);
      try {
        sender.sendNext();
      } catch (error) {
        throwLater(error);
      }
    }
  }

  /** The socket has room again. */
  drained(): void {
    const crowded = [...this.#crowded];
    this.#crowded.clear();
    for (const sender of crowded) {
      try {
        sender.roomAgain();
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

export const tooWide = (): ConnectionFault =>
  new ConnectionFault(ERROR.flowControl, 'the peer made a window wider than there is');
