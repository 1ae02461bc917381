/** A body that is taken chunk by chunk, without a promise for each: a message of a stream costs little more than its bytes. */
export interface BodyChunks {
  /** The next one; null at the end; undefined where it is not here yet, and `onMore` is called once. Throws what the body failed with. */
  take(onMore: () => void): Uint8Array | null | undefined;
  /** No more is wanted. */
  close(): void;
}

/** As both kinds of readers take it. */
export interface TakenBody extends BodyChunks, AsyncIterable<Uint8Array> {}

export const chunksOf = (body: AsyncIterable<Uint8Array> | TakenBody): BodyChunks =>
  'take' in body ? body : new IteratedChunks(body);

const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined };

/** For readers that wait for each chunk. */
export function iteratorOf(chunks: BodyChunks): AsyncIterableIterator<Uint8Array> {
  const iterator: AsyncIterableIterator<Uint8Array> = {
    next: () =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          try {
            const chunk = chunks.take(look);
            if (chunk !== undefined) resolve(chunk === null ? DONE : { done: false, value: chunk });
          } catch (error) {
            reject(error);
          }
        };
        look();
      }),
    return: () => {
      chunks.close();
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

class IteratedChunks implements BodyChunks {
  readonly #body: AsyncIterable<Uint8Array>;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #next: Uint8Array | null | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body;
  }

  take(onMore: () => void): Uint8Array | null | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    const chunk = this.#next;
    if (chunk === undefined) this.#pull(onMore);
    else if (chunk !== null) this.#next = undefined;
    return chunk;
  }

  #pull(onMore: () => void): void {
    this.#iterator ??= this.#body[Symbol.asyncIterator]();
    this.#iterator.next().then(
      (result) => {
        this.#next = result.done ? null : result.value;
        onMore();
      },
      (error: unknown) => {
        this.#failure = { error };
        onMore();
      },
    );
  }

  close(): void {
    const iterator = this.#iterator ?? this.#body[Symbol.asyncIterator]();
    // An error while letting go has nobody to go to.
    iterator.return?.().then(undefined, () => {});
  }
}
