import type { UniversalClientResponse } from '@connectrpc/connect/protocol';
import { MeshError } from '../errors.ts';
import { startExchange } from '../http/exchange.ts';
import { ResponseBody } from '../http/fetch/response-body.ts';
import type { Exchange, ExchangeHandler, Outgoing } from '../http/outgoing.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import { connectErrorOf, tooLate } from './connect-error.ts';

export interface Settle {
  readonly resolve: (response: UniversalClientResponse | Promise<UniversalClientResponse>) => void;
  readonly reject: (reason: unknown) => void;
  /** The host is none of the mesh's. */
  readonly passOn: () => Promise<UniversalClientResponse>;
}

/** Why an exchange is ended whose answer nobody reads on. */
const UNREAD = new Error('the rest of the answer is not wanted');
const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

/** One HTTP request of a Connect client over the mesh. */
export class UniversalCall implements ExchangeHandler {
  readonly #runtime: MeshRuntime;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: Settle;
  readonly #trailer = new Headers();
  /** When its time is over, on the clock. */
  #dueMs = Number.POSITIVE_INFINITY;
  #exchange: Exchange | undefined;
  #body: ResponseBody | undefined;
  #isOver = false;

  constructor(runtime: MeshRuntime, signal: AbortSignal | undefined, settle: Settle) {
    this.#runtime = runtime;
    this.#signal = signal;
    this.#settle = settle;
  }

  start(outgoing: Outgoing): void {
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    const { timeoutMs } = outgoing.policy ?? {};
    if (timeoutMs !== undefined) this.#dueMs = this.#runtime.clock.now() + timeoutMs;
    this.#exchange = startExchange(this.#runtime, outgoing, this);
  }

  readonly #onAbort = (): void => this.abort(this.#signal?.reason);

  /** For the body as well, whose reader has had enough. */
  abort(reason: unknown): void {
    this.#exchange?.abort(reason);
    this.onError(reason);
  }

  resume(): void {
    this.#exchange?.resume();
  }

  onPassthrough(): void {
    this.#finish();
    this.#settle.resolve(this.#settle.passOn());
  }

  onHeaders(status: number, headers: string[]): void {
    if (this.#isOver) return;
    const header = new Headers();
    append(header, headers);
    const body = new ResponseBody(this, this.#runtime.clock);
    this.#body = body;
    this.#settle.resolve({ status, header, body: readable(body), trailer: this.#trailer });
  }

  onData(chunk: Uint8Array): boolean {
    return this.#isOver || this.#body === undefined || this.#body.push(chunk);
  }

  onEnd(trailers: string[]): void {
    if (this.#isOver) return;
    this.#finish();
    append(this.#trailer, trailers);
    this.#body?.end();
  }

  onError(error: unknown): void {
    if (this.#isOver) return;
    this.#finish();
    const reason = this.#isLate(error) ? tooLate(error) : connectErrorOf(error);
    if (this.#body === undefined) this.#settle.reject(reason);
    else this.#body.fail(reason);
  }

  /** A server whose own time is over may be heard of before our timer is: the call has timed out all the same. */
  #isLate(error: unknown): boolean {
    return error instanceof MeshError && this.#runtime.clock.now() >= this.#dueMs;
  }

  #finish(): void {
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

function append(to: Headers, list: readonly string[]): void {
  for (let index = 0; index + 1 < list.length; index += 2) to.append(list[index] ?? '', list[index + 1] ?? '');
}

function readable(body: ResponseBody): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const iterator: AsyncIterator<Uint8Array<ArrayBuffer>> = {
    next: async () => {
      const value = await body.next();
      return value === undefined ? DONE : { done: false, value: value as Uint8Array<ArrayBuffer> };
    },
    return: async () => {
      body.abandon(UNREAD);
      return DONE;
    },
    throw: async (reason) => {
      body.abandon(reason);
      throw reason;
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
