import type { ClientStream } from '../wire/http2/stream.ts';
import { type BodyChunks, chunksOf } from './body-chunks.ts';
import type { WireRequest } from './exchange.ts';

type StreamBody = Exclude<WireRequest['body'], Uint8Array | null>;

/** A request's body on its way into its stream: as it comes, and as the stream has room. */
export class Http2Body {
  readonly #chunks: BodyChunks;
  readonly #stream: ClientStream;
  readonly #fail: (error: unknown) => void;
  #isBlocked = false;
  #isDone = false;

  constructor(body: StreamBody, stream: ClientStream, fail: (error: unknown) => void) {
    this.#chunks = chunksOf(body);
    this.#stream = stream;
    this.#fail = fail;
  }

  /** Never within whoever begins it, or tells it of room: what is sent has effects of its own. */
  readonly goOn = (): void => {
    this.#isBlocked = false;
    queueMicrotask(this.#send);
  };

  readonly #send = (): void => {
    while (!this.#isDone && !this.#isBlocked) {
      if (this.#stream.isClosed) this.#giveUp();
      else if (!this.#sendNext()) return;
    }
  };

  /** False: the next chunk is not here yet. */
  #sendNext(): boolean {
    let chunk: Uint8Array | null | undefined;
    try {
      chunk = this.#chunks.take(this.#send);
    } catch (error) {
      this.#isDone = true;
      this.#fail(error);
      return true;
    }
    if (chunk === undefined) return false;
    if (chunk === null) {
      this.#isDone = true;
      this.#stream.end();
    } else this.#isBlocked = !this.#stream.write(chunk);
    return true;
  }

  #giveUp(): void {
    this.#isDone = true;
    this.#chunks.close();
  }
}
