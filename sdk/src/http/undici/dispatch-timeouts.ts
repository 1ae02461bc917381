import type { Clock, Timer } from '../../clock.ts';
import type { DispatchInput } from './dispatch-input.ts';

/** undici's `headersTimeout` and `bodyTimeout`, for callers that ask for them. */
export class DispatchTimeouts {
  readonly #clock: Clock;
  readonly #bodyMs: number;
  readonly #expire: (error: Error) => void;
  #timer: Timer | undefined;
  #isReading = false;
  #sinceMs = 0;

  private constructor(clock: Clock, headersMs: number, bodyMs: number, expire: (error: Error) => void) {
    this.#clock = clock;
    this.#bodyMs = bodyMs;
    this.#expire = expire;
    if (headersMs > 0) this.#arm(headersMs, () => expire(timeoutError('Headers')));
  }

  /** undefined where the caller asks for none, which is nearly always. */
  static start(options: DispatchInput, clock: Clock, expire: (error: Error) => void): DispatchTimeouts | undefined {
    const [headersMs, bodyMs] = [options.headersTimeout ?? 0, options.bodyTimeout ?? 0];
    return headersMs > 0 || bodyMs > 0 ? new DispatchTimeouts(clock, headersMs, bodyMs, expire) : undefined;
  }

  /** The head or a piece of the body has come, or the reader wants the next one. */
  progressed(): void {
    this.#sinceMs = this.#clock.now();
    if (this.#isReading) return;
    this.stop();
    this.#isReading = this.#bodyMs > 0;
    if (this.#isReading) this.#arm(this.#bodyMs, () => this.#look());
  }

  /** It is over, or the reader has asked for a pause: time that he takes is not the server's. */
  stop(): void {
    this.#timer?.cancel();
    this.#isReading = false;
  }

  /** One timer for many pieces: it looks how long ago the last one came. */
  #look(): void {
    const leftMs = this.#sinceMs + this.#bodyMs - this.#clock.now();
    if (leftMs > 0) this.#arm(leftMs, () => this.#look());
    else this.#expire(timeoutError('Body'));
  }

  #arm(ms: number, run: () => void): void {
    this.#timer = this.#clock.after(ms, run);
  }
}

/** undici's HeadersTimeoutError and BodyTimeoutError. */
const timeoutError = (part: 'Headers' | 'Body'): Error =>
  Object.assign(new Error(`${part} Timeout Error`), {
    name: `${part}TimeoutError`,
    code: `UND_ERR_${part.toUpperCase()}_TIMEOUT`,
  });
