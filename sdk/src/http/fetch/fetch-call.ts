import type { Clock, Timer } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import { MeshError } from '../../errors.ts';
import type { CallStory } from '../../model/events.ts';
import { authorityOf, dialledOf } from '../dialled.ts';
import { startExchange } from '../exchange.ts';
import type { Exchange, ExchangeHandler } from '../outgoing.ts';
import type { MeshRuntime } from '../runtime.ts';
import { codingsOf, type DecodedBody, decodeBody, hasNullBody } from './content-decoding.ts';
import { addDefaultHeaders } from './default-headers.ts';
import type { FetchInput } from './fetch-input.ts';
import { LeanResponse } from './lean-response.ts';
import { headerOf, isRedirect, MOST_REDIRECTS, redirectedInput } from './redirect.ts';
import { ResponseBody } from './response-body.ts';

/** What a fetch needs besides its input. */
export interface FetchParts {
  readonly runtime: MeshRuntime;
  /** The platform's fetch through the mesh's dispatcher, for hosts outside the mesh. */
  readonly passThrough: (input: FetchInput, redirects: number) => Promise<Response>;
}

interface Settle {
  readonly resolve: (response: Response | Promise<Response>) => void;
  readonly reject: (reason: unknown) => void;
}

export function runFetch(parts: FetchParts, input: FetchInput): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (input.signal?.aborted === true) reject(input.signal.reason);
    else new FetchCall(parts, { resolve, reject }, input, 0).start();
  });
}

/** One request of a fetch: the first, or one a redirect led to. */
class FetchCall implements ExchangeHandler {
  readonly #parts: FetchParts;
  /** Let go once it is settled: a promise holds its response, and a body must not hold the response it belongs to. */
  #settle: Settle | undefined;
  readonly #input: FetchInput;
  readonly #redirects: number;
  #exchange: Exchange | undefined;
  #ended: CallStory | undefined;
  #body: ResponseBody | undefined;
  #decoder: DecodedBody | undefined;
  #drain: Drain | undefined;
  #isDone = false;
  #onAbort: (() => void) | undefined;

  constructor(parts: FetchParts, settle: Settle, input: FetchInput, redirects: number) {
    this.#parts = parts;
    this.#settle = settle;
    this.#input = input;
    this.#redirects = redirects;
  }

  start(): void {
    const { url, method, host, body, policy, signal } = this.#input;
    const dialled = dialledOf(url);
    // A list of its own: a redirect starts from what the caller gave.
    const headers = [...this.#input.headers];
    addDefaultHeaders(headers, dialled.scheme);
    const authority = host === undefined ? dialled.authority : authorityOf(host);
    const request = { method, scheme: dialled.scheme, authority, path: dialled.path, headers };
    if (signal !== undefined) this.#listen(signal);
    this.#exchange = startExchange(this.#parts.runtime, { dialled, request, body, policy }, this);
  }

  #listen(signal: AbortSignal): void {
    this.#onAbort = () => this.#fail(signal.reason, signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  #finish(): void {
    this.#isDone = true;
    if (this.#onAbort !== undefined) this.#input.signal?.removeEventListener('abort', this.#onAbort);
  }

  onPassthrough(): void {
    this.#finish();
    this.#settle?.resolve(this.#parts.passThrough(this.#input, this.#redirects));
    this.#settle = undefined;
  }

  onHeaders(status: number, headers: string[], statusText: string): void {
    if (this.#isDone) return;
    const location = isRedirect(status) ? headerOf(headers, 'location') : undefined;
    if (isRedirect(status) && this.#input.redirect === 'error') {
      this.#failFetch(new Error('unexpected redirect'));
      return;
    }
    if (location !== undefined && this.#input.redirect === 'follow') {
      this.#follow(status, location);
      return;
    }
    const isEmpty = hasNullBody(this.#input.method, status);
    const codings = isEmpty ? undefined : headerOf(headers, 'content-encoding');
    try {
      const body = new ResponseBody(this, this.#parts.runtime.clock);
      if (codings !== undefined) this.#decode(codingsOf(codings), body);
      this.#body = body;
      const response = this.#respond(status, statusText, headers, isEmpty ? null : body);
      this.#settle?.resolve(response);
      this.#settle = undefined;
      if (!isEmpty) queueMicrotask(() => watch(response, body));
    } catch (error) {
      this.#failFetch(error);
    }
  }

  #respond(status: number, statusText: string, headers: string[], body: ResponseBody | null): Response {
    const head = {
      status,
      statusText,
      headers,
      url: this.#input.url.href,
      redirected: this.#redirects > 0,
      story: () => this.#story(),
    };
    return LeanResponse.create(head, body);
  }

  #decode(codings: readonly string[], body: ResponseBody): void {
    if (codings.length === 0) return;
    this.#decoder = decodeBody(codings, {
      data: (chunk) => body.push(chunk),
      end: () => this.#end(),
      error: (error) => this.#fail(error, new TypeError('terminated', { cause: error })),
      drained: () => this.#exchange?.resume(),
    });
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#drain !== undefined) return this.#drain.take(chunk.byteLength);
    if (this.#isDone) return true;
    return this.#decoder?.write(chunk) ?? this.#body?.push(chunk) ?? true;
  }

  onEnd(): void {
    this.#drain?.end();
    if (this.#isDone) return;
    if (this.#decoder !== undefined) this.#decoder.end();
    else this.#end();
  }

  onError(error: unknown): void {
    this.#drain?.end();
    const mayThrow = (this.#input.policy?.localReply ?? this.#parts.runtime.localReply) === 'throw';
    const before = mayThrow && error instanceof MeshError ? error : failed('fetch failed', error, this.#story());
    this.#fail(before, new TypeError('terminated', { cause: error }));
  }

  /** The body's reader wants more. */
  resume(): void {
    if (this.#decoder !== undefined) this.#decoder.resume();
    else this.#exchange?.resume();
  }

  /** The body's reader gives it up. */
  abort(reason: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    this.#decoder?.destroy();
    this.#exchange?.abort(reason);
  }

  #end(): void {
    this.#finish();
    this.#body?.end();
    // A response may be kept for long: it keeps the story of its call, not the call.
    this.#ended = this.#exchange?.story;
    this.#exchange = undefined;
  }

  /** Before the head the promise rejects, afterwards the body's reader fails. */
  #fail(before: unknown, after: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    if (this.#body === undefined) this.#settle?.reject(before);
    else this.#body.fail(after);
    this.#settle = undefined;
    this.#decoder?.destroy();
    this.#exchange?.abort(after);
  }

  /** As fetch fails with its own reasons. */
  #failFetch(cause: unknown): void {
    this.#fail(failed('fetch failed', cause, this.#story()), cause);
  }

  #follow(status: number, location: string): void {
    let next: FetchInput;
    try {
      if (this.#redirects >= MOST_REDIRECTS) throw new Error('redirect count exceeded');
      next = redirectedInput(this.#input, status, location);
    } catch (error) {
      this.#failFetch(error);
      return;
    }
    const settle = this.#settle;
    this.#settle = undefined;
    this.#finish();
    this.#drain = new Drain(this.#parts.runtime.clock, () =>
      this.#exchange?.abort(new Error('the answer was a redirect')),
    );
    if (settle !== undefined) new FetchCall(this.#parts, settle, next, this.#redirects + 1).start();
  }

  #story(): CallStory | undefined {
    return this.#ended ?? this.#exchange?.story;
  }
}

/** Reads the rest of an answer nobody wants, within limits: its connection is worth that much. */
class Drain {
  readonly #giveUp: () => void;
  readonly #timer: Timer;
  #left = defaultOf('drainBytes');

  constructor(clock: Clock, giveUp: () => void) {
    this.#giveUp = giveUp;
    this.#timer = clock.after(defaultOf('drainMs'), giveUp);
  }

  take(size: number): boolean {
    this.#left -= size;
    if (this.#left < 0) this.#giveUp();
    return this.#left >= 0;
  }

  end(): void {
    this.#timer.cancel();
  }
}

/** A body that has not come with its head: nobody may hold its connection by forgetting it. */
function watch(response: Response, body: ResponseBody): void {
  const onIdle = () => new TypeError('terminated', { cause: new Error('nobody read the response') });
  if (body.watch(onIdle)) LeanResponse.watch(response, body);
}

function failed(message: string, cause: unknown, story?: CallStory): TypeError {
  const error = new TypeError(message, { cause });
  if (story !== undefined) Object.defineProperty(error, 'mesh', { value: story, configurable: true });
  return error;
}
