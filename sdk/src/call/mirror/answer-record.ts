import { defaultOf } from '../../defaults.ts';

/** An answer as far as a comparison needs it. */
export class AnswerRecord {
  readonly startMs: number;
  status = 0;
  /** When its end came; undefined: not to its end. */
  endMs: number | undefined;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isOver = false;
  #then: (() => void)[] = [];

  constructor(startMs: number) {
    this.startMs = startMs;
  }

  /** Of the body so much is kept as is compared. */
  take(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= defaultOf('comparedBytes')) this.#chunks.push(chunk);
    else this.#chunks.length = 0;
  }

  /** undefined: longer than what is compared. */
  get body(): Buffer | undefined {
    return this.#bytes > defaultOf('comparedBytes') ? undefined : Buffer.concat(this.#chunks);
  }

  end(nowMs: number | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.endMs = nowMs;
    for (const run of this.#then.splice(0)) run();
  }

  whenOver(run: () => void): void {
    if (this.#isOver) run();
    else this.#then.push(run);
  }
}
