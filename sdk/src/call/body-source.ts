import { type BodyChunks, chunksOf, iteratorOf, type TakenBody } from '../connection/body-chunks.ts';

/** The request body as `call/` takes it. */
export type CallBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: AsyncIterable<Uint8Array>; readonly length?: number };

/**
 * A stream body on its way out. Each attempt has a reader of its own; what was taken is kept up to a limit, so that a
 * later reader can begin again. Keeps the error of the stream apart from those of the connection, and lets go of the
 * stream when the call ends early.
 */
export class BodySource {
  readonly #chunks: BodyChunks;
  readonly #keepBytes: number;
  /** The chunks from number `#dropped` on. */
  #kept: Uint8Array[] = [];
  #dropped = 0;
  #takenBytes = 0;
  #isPulling = false;
  /** Readers that wait for the next chunk. */
  #waiting: (() => void)[] = [];
  #state: 'open' | 'whole' | 'closed' = 'open';
  /** What the stream itself failed with. */
  failure: { readonly error: unknown } | undefined;
  /** Told once, when all of the body is here and kept. */
  onWhole: ((chunks: readonly Uint8Array[]) => void) | undefined;
  /** Told of each chunk that comes. */
  onChunk: (() => void) | undefined;

  constructor(stream: AsyncIterable<Uint8Array>, keepBytes: number) {
    this.#chunks = chunksOf(stream);
    this.#keepBytes = keepBytes;
  }

  /** It can be sent once more from its beginning. */
  get isReplayable(): boolean {
    return this.failure === undefined && this.#takenBytes <= this.#keepBytes && this.#state !== 'closed';
  }

  /** All of it is here. */
  get isWhole(): boolean {
    return this.isReplayable && this.#state === 'whole';
  }

  /** The body from its beginning. Fails where more has gone by than is kept. */
  reader(): TakenBody {
    let at = 0;
    const take = (onMore: () => void): Uint8Array | null | undefined => {
      for (;;) {
        if (at < this.#dropped) throw new Error('more of the body has gone by than is kept');
        const chunk = this.#kept[at - this.#dropped];
        if (chunk !== undefined) {
          at++;
          return chunk;
        }
        if (this.failure !== undefined) throw this.failure.error;
        if (this.#state === 'closed') throw new Error('the call has ended');
        if (this.#state === 'whole') return null;
        if (!this.#isPulling) this.#pull();
        if (!this.#isPulling) continue;
        this.#waiting.push(onMore);
        return undefined;
      }
    };
    const reader = { take, close() {} };
    return { ...reader, [Symbol.asyncIterator]: () => iteratorOf(reader) };
  }

  /** No more is wanted: the stream may free what it holds, also while it is waiting for its next chunk. */
  close(): void {
    const isEnded = this.#state !== 'open' || this.failure !== undefined;
    this.#state = 'closed';
    this.#kept = [];
    // Not within the call that ends.
    if (this.#waiting.length > 0) queueMicrotask(() => this.#wake());
    if (!isEnded) this.#chunks.close();
  }

  /** The next chunk, or when there is one: whoever asks for it has had all before it. */
  #pull(): void {
    try {
      const chunk = this.#chunks.take(this.#onMore);
      this.#isPulling = chunk === undefined;
      if (chunk !== undefined) this.#take(chunk);
    } catch (error) {
      this.#isPulling = false;
      this.failure ??= { error };
    }
  }

  /** Also where nobody waits any more: what has come is there for who begins anew. */
  readonly #onMore = (): void => {
    if (this.#state === 'open') this.#pull();
    if (!this.#isPulling || this.#state !== 'open') this.#wake();
  };

  #wake(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }

  #take(chunk: Uint8Array | null): void {
    this.onChunk?.();
    if (chunk === null) {
      this.#state = 'whole';
      if (this.isReplayable) this.onWhole?.([...this.#kept]);
      return;
    }
    this.#takenBytes += chunk.length;
    if (this.#takenBytes > this.#keepBytes) {
      this.#dropped += this.#kept.length;
      this.#kept = [];
    }
    this.#kept.push(chunk);
  }
}
