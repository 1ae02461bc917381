const MAX_CHUNKS = 1_024;
/** What is kept of a chunk that is smaller keeps all that came with it: a copy does not. */
const SMALL = 4_096;

/** What came of a stream while nobody read it. */
export class Backlog {
  #chunks: Buffer[] = [];

  push(chunk: Buffer): void {
    this.#chunks.push(chunk.length < SMALL ? Buffer.from(chunk) : chunk);
    // Chunks of a byte would cost a hundred times what the window allows.
    if (this.#chunks.length >= MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  shift(): Buffer | undefined {
    return this.#chunks.shift();
  }
}
