import { LARGEST_WINDOW } from './codes.ts';
import type { Frame } from './frame-reader.ts';
import { broken } from './frame-rules.ts';
import type { ClientStream } from './stream.ts';
import { throwLater } from './throw-later.ts';

/** The streams of a connection that are not over, and their numbers. */
export class StreamTable {
  readonly #streams = new Map<number, ClientStream>();
  #nextId = 1;

  get size(): number {
    return this.#streams.size;
  }

  /** RFC 9113 §5.1.1: undefined where there are no further ones. */
  takeId(): number | undefined {
    if (this.#nextId > LARGEST_WINDOW) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  add(stream: ClientStream): void {
    this.#streams.set(stream.id, stream);
  }

  delete(stream: ClientStream): void {
    this.#streams.delete(stream.id);
  }

  get(id: number): ClientStream | undefined {
    return this.#streams.get(id);
  }

  /** undefined: it is over, and what still comes of it is ignored. Throws for one that was never begun. */
  known({ stream }: Frame): ClientStream | undefined {
    const known = this.#streams.get(stream);
    if (known === undefined && (stream === 0 || stream % 2 === 0 || stream >= this.#nextId)) {
      throw broken(`a frame of stream ${stream}, which there is not`);
    }
    return known;
  }

  /** What the callbacks of one throw keeps it from none of the others. */
  each(run: (stream: ClientStream) => void): void {
    for (const stream of this.#streams.values()) {
      try {
        run(stream);
      } catch (error) {
        throwLater(error);
      }
    }
  }

  /** False where one has a window wider than there is. */
  widen(by: number): boolean {
    for (const stream of this.#streams.values()) if (!stream.widen(by)) return false;
    return true;
  }
}
