/** The request body as `call/` takes it. */
export type CallBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: AsyncIterable<Uint8Array>; readonly length?: number };

/**
 * A stream body on its way out. Knows whether anything was taken from it (then it cannot be sent again), keeps the
 * error of the stream apart from those of the connection, and lets go of the stream when the call ends early.
 */
export class BodySource implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #stream: AsyncIterable<Uint8Array>;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #refuse: ((error: Error) => void) | undefined;
  #isOver = false;
  /** What the stream itself failed with. */
  failure: { readonly error: unknown } | undefined;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#stream = stream;
  }

  get isPulled(): boolean {
    return this.#iterator !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    this.#iterator ??= this.#stream[Symbol.asyncIterator]();
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Uint8Array>>();
    this.#refuse = reject;
    this.#iterator.next().then(
      (result) => {
        if (result.done) this.#isOver = true;
        resolve(result);
      },
      (error: unknown) => {
        this.#isOver = true;
        this.failure ??= { error };
        reject(error);
      },
    );
    return promise;
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** No more is wanted: the stream may free what it holds, also while it is waiting for its next chunk. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#refuse?.(new Error('the call has ended'));
    const iterator = this.#iterator ?? this.#stream[Symbol.asyncIterator]();
    // An error while letting go has nobody to go to.
    iterator.return?.().then(undefined, () => {});
  }
}
