import type { Clock, Timer } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';

/** How a response body acts on the call it comes from. */
export interface BodyControl {
  resume(): void;
  abort(reason: unknown): void;
}

const OPEN = 0;
const ENDED = 1;
const FAILED = 2;

/**
 * Where the bytes of a response land. Small bodies are collected as they come, so a response that nobody reads gives its
 * connection back; large ones hold the sender up until somebody reads.
 */
export class ResponseBody {
  /** Called once when no more of it comes, unless it is over already. */
  onOver: ((body: ResponseBody) => void) | undefined;
  readonly #control: BodyControl;
  readonly #clock: Clock;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #state = OPEN;
  #error: unknown;
  #paused = false;
  #isRead = false;
  #limit = defaultOf('bodyBufferBytes');
  #wake: (() => void) | undefined;
  #idle: Timer | undefined;

  constructor(control: BodyControl, clock: Clock) {
    this.#control = control;
    this.#clock = clock;
  }

  get hasEnded(): boolean {
    return this.#state !== OPEN;
  }

  /** All of it is here: it can be had without waiting. */
  get isWhole(): boolean {
    return this.#state === ENDED;
  }

  /** From the call. false: stop until `resume`. */
  push(chunk: Uint8Array): boolean {
    if (this.#state !== OPEN) return true;
    if (chunk.byteLength > 0) {
      this.#chunks.push(chunk);
      this.#held += chunk.byteLength;
      this.#notify();
    }
    this.#paused = this.#held >= this.#limit;
    return !this.#paused;
  }

  end(): void {
    this.#settle(ENDED, undefined);
  }

  fail(error: unknown): void {
    this.#settle(FAILED, error);
  }

  /** Once the head has been given out: whoever never reads an unfinished body must not hold its connection for ever. false: there is nothing to watch. */
  watch(onIdle: () => Error): boolean {
    if (this.#state !== OPEN || this.#isRead) return false;
    this.#idle = this.#clock.after(defaultOf('unreadBodyIdleMs'), () => this.abandon(onIdle()));
    return true;
  }

  /** Somebody reads: no time limit any more. */
  startReading(): void {
    this.#isRead = true;
    this.#idle?.cancel();
    this.#idle = undefined;
  }

  /** Gives the rest up: readers fail with `reason`, the call ends. */
  abandon(reason: unknown): void {
    if (this.#state !== OPEN) return;
    this.fail(reason);
    this.#control.abort(reason);
  }

  /** The next piece; undefined at the end. Throws what the body failed with. */
  async next(): Promise<Uint8Array | undefined> {
    this.startReading();
    while (this.#chunks.length === 0 && this.#state === OPEN) await this.#more();
    const chunk = this.#chunks.shift();
    if (chunk === undefined && this.#state === FAILED) throw this.#error;
    if (chunk !== undefined) this.#held -= chunk.byteLength;
    this.#unpause();
    return chunk;
  }

  /** All of it, in one piece. */
  async collect(): Promise<Uint8Array> {
    this.startReading();
    this.#limit = Number.POSITIVE_INFINITY;
    this.#unpause();
    while (this.#state === OPEN) await this.#more();
    return this.takeWhole();
  }

  /** What has come; for a body that has ended. Throws what it failed with. */
  takeWhole(): Uint8Array {
    if (this.#state === FAILED) throw this.#error;
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#held = 0;
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #unpause(): void {
    if (!this.#paused || this.#held >= this.#limit || this.#state !== OPEN) return;
    this.#paused = false;
    this.#control.resume();
  }

  #settle(state: number, error: unknown): void {
    if (this.#state !== OPEN) return;
    this.#state = state;
    this.#error = error;
    if (state === FAILED) this.#chunks = [];
    this.#idle?.cancel();
    this.#notify();
    this.onOver?.(this);
  }
}
