/** The request body as `call/` takes it. */
export type CallBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: AsyncIterable<Uint8Array>; readonly length?: number };

const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined };

/**
 * A stream body on its way out. Each attempt has a reader of its own; what was taken is kept up to a limit, so that a
 * later reader can begin again. Keeps the error of the stream apart from those of the connection, and lets go of the
 * stream when the call ends early.
 */
export class BodySource {
  readonly #stream: AsyncIterable<Uint8Array>;
  readonly #keepBytes: number;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  /** The chunks from number `#dropped` on. */
  #kept: Uint8Array[] = [];
  #dropped = 0;
  #takenBytes = 0;
  #pulling: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #state: 'open' | 'whole' | 'closed' = 'open';
  /** What the stream itself failed with. */
  failure: { readonly error: unknown } | undefined;
  /** Told once, when all of the body is here and kept. */
  onWhole: ((chunks: readonly Uint8Array[]) => void) | undefined;
  /** Told of each chunk that comes. */
  onChunk: (() => void) | undefined;

  constructor(stream: AsyncIterable<Uint8Array>, keepBytes: number) {
    this.#stream = stream;
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
  reader(): AsyncIterableIterator<Uint8Array> {
    let at = 0;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      for (;;) {
        if (at < this.#dropped) throw new Error('more of the body has gone by than is kept');
        const chunk = this.#kept[at - this.#dropped];
        if (chunk !== undefined) {
          at++;
          return { done: false, value: chunk };
        }
        if (this.failure !== undefined) throw this.failure.error;
        if (this.#state === 'closed') throw new Error('the call has ended');
        if (this.#state === 'whole') return DONE;
        this.#pulling ??= this.#pull();
        await this.#pulling;
      }
    };
    const reader: AsyncIterableIterator<Uint8Array> = {
      next,
      return: () => Promise.resolve(DONE),
      [Symbol.asyncIterator]: () => reader,
    };
    return reader;
  }

  /** No more is wanted: the stream may free what it holds, also while it is waiting for its next chunk. */
  close(): void {
    const isEnded = this.#state !== 'open' || this.failure !== undefined;
    this.#state = 'closed';
    this.#kept = [];
    this.#wake?.();
    if (isEnded) return;
    const iterator = this.#iterator ?? this.#stream[Symbol.asyncIterator]();
    // An error while letting go has nobody to go to.
    iterator.return?.().then(undefined, () => {});
  }

  /** Resolves when there is another chunk, or when it is known that there will be none. */
  #pull(): Promise<void> {
    this.#iterator ??= this.#stream[Symbol.asyncIterator]();
    const { promise, resolve } = Promise.withResolvers<void>();
    const settle = (): void => {
      this.#pulling = undefined;
      resolve();
    };
    this.#wake = settle;
    this.#iterator.next().then(
      (result) => {
        if (this.#state === 'open') this.#take(result);
        settle();
      },
      (error: unknown) => {
        this.failure ??= { error };
        settle();
      },
    );
    return promise;
  }

  #take(result: IteratorResult<Uint8Array>): void {
    this.onChunk?.();
    if (result.done) {
      this.#state = 'whole';
      if (this.isReplayable) this.onWhole?.([...this.#kept]);
      return;
    }
    this.#takenBytes += result.value.length;
    // Whoever asked for this chunk has had all before it.
    if (this.#takenBytes > this.#keepBytes) {
      this.#dropped += this.#kept.length;
      this.#kept = [];
    }
    this.#kept.push(result.value);
  }
}
