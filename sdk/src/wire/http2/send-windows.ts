import { ConnectionFault, ERROR, INITIAL, LARGEST_WINDOW } from './codes.ts';
import type { FrameWriter } from './frame-writer.ts';

/** A stream that has something to send. */
export interface Sender {
  readonly isBlocked: boolean;
  /** One frame; false: its window, or that of the connection, lets none go. */
  sendSome(): boolean;
  roomAgain(): void;
}

/** What may be sent on a connection (RFC 9113 §5.2), and who waits for it. */
export class SendWindows {
  readonly writer: FrameWriter;
  /** Octets that may be sent, on any stream. */
  left: number = INITIAL.window;
  peerFrameSize: number = INITIAL.frameSize;
  readonly #blocked = new Set<Sender>();
  readonly #crowded = new Set<Sender>();

  constructor(writer: FrameWriter) {
    this.writer = writer;
  }

  /** It has something to send and no window for it. */
  blocked(sender: Sender): void {
    this.#blocked.add(sender);
  }

  /** It waits for the socket. */
  crowded(sender: Sender): void {
    this.#crowded.add(sender);
  }

  forget(sender: Sender): void {
    if (this.#blocked.size > 0) this.#blocked.delete(sender);
    if (this.#crowded.size > 0) this.#crowded.delete(sender);
  }

  /** WINDOW_UPDATE of the connection. */
  widen(by: number): void {
    this.left += by;
    if (this.left > LARGEST_WINDOW) throw tooWide();
  }

  /** In turn, a frame of each that waits. */
  send(): void {
    for (let hasSent = true; hasSent && this.left > 0; ) {
      hasSent = false;
      for (const sender of this.#blocked) if (sender.sendSome()) hasSent = true;
    }
    for (const sender of this.#blocked) {
      if (sender.isBlocked) continue;
      this.#blocked.delete(sender);
      sender.roomAgain();
    }
  }

  /** The socket has room again. */
  drained(): void {
    const crowded = [...this.#crowded];
    this.#crowded.clear();
    for (const sender of crowded) sender.roomAgain();
  }
}

export const tooWide = (): ConnectionFault =>
  new ConnectionFault(ERROR.flowControl, 'the peer made a window wider than there is');
