import type { Duplex } from 'node:stream';

/**
 * undici's handlers of both generations. The newer one (undici 7 and 8) is called with a controller; the older one (undici 6,
 * and what the fetch built into Node 22 and 24 hands to a dispatcher) gets raw headers and functions.
 */
export interface ControllerHandler {
  onRequestStart(controller: DispatchController, context: object): void;
  onRequestUpgrade?(controller: DispatchController, status: number, headers: HeaderRecord, socket: Duplex): void;
  onResponseStarted?(): void;
  onResponseStart?(controller: DispatchController, status: number, headers: HeaderRecord, statusText?: string): void;
  onResponseData?(controller: DispatchController, chunk: Uint8Array): void;
  onResponseEnd?(controller: DispatchController, trailers: HeaderRecord): void;
  onResponseError?(controller: DispatchController | null, error: Error): void;
}

export interface LegacyHandler {
  onConnect?(abort: (reason?: Error) => void, context: object): void;
  onUpgrade?(status: number, headers: readonly (string | Uint8Array)[], socket: Duplex): void;
  onResponseStarted?(): void;
  onHeaders?(status: number, headers: readonly Buffer[], resume: () => void, statusText: string): boolean;
  onData?(chunk: Uint8Array): boolean;
  onComplete?(trailers: readonly Buffer[] | null): void;
  onError?(error: Error): void;
}

export type UndiciHandler = ControllerHandler | LegacyHandler;

export type HeaderRecord = Record<string, string | string[]>;

export const isControllerHandler = (handler: UndiciHandler): handler is ControllerHandler =>
  'onRequestStart' in handler && typeof handler.onRequestStart === 'function';

/** What a handler may do to the call it hears of. */
export interface DispatchControl {
  abort(reason: unknown): void;
  resume(): void;
}

const OVER: DispatchControl = { abort() {}, resume() {} };

/** undici's DispatchController. */
export class DispatchController {
  #control: DispatchControl;
  #isPaused = false;
  #isAborted = false;
  #reason: Error | null = null;
  rawHeaders: readonly string[] | null = null;
  rawTrailers: readonly string[] | null = null;

  constructor(control: DispatchControl) {
    this.#control = control;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  /** The call is over. Handlers keep their controller for long; it must not keep the call. */
  detach(): void {
    this.#control = OVER;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#control.resume();
  }

  abort(reason: Error): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#control.abort(reason);
  }
}

/** One shape for both generations; `onHeaders` and `onData` say false to stop. */
export interface HandlerPort {
  start(): void;
  informational(status: number, headers: readonly string[]): void;
  headers(status: number, headers: readonly string[], statusText: string): void;
  data(chunk: Uint8Array): boolean;
  end(trailers: readonly string[]): void;
  error(error: Error): void;
  upgrade(status: number, headers: readonly string[], socket: Duplex): void;
}

export function portOf(handler: UndiciHandler, control: DispatchControl): HandlerPort {
  return isControllerHandler(handler) ? new ControllerPort(handler, control) : new LegacyPort(handler, control);
}

class ControllerPort implements HandlerPort {
  readonly #handler: ControllerHandler;
  readonly #controller: DispatchController;

  constructor(handler: ControllerHandler, control: DispatchControl) {
    this.#handler = handler;
    this.#controller = new DispatchController(control);
  }

  start(): void {
    this.#handler.onRequestStart(this.#controller, {});
  }

  informational(status: number, headers: readonly string[]): void {
    this.#controller.rawHeaders = headers;
    this.#handler.onResponseStart?.(this.#controller, status, recordOf(headers), '');
  }

  headers(status: number, headers: readonly string[], statusText: string): void {
    this.#handler.onResponseStarted?.();
    this.#controller.rawHeaders = headers;
    this.#handler.onResponseStart?.(this.#controller, status, recordOf(headers), statusText);
  }

  data(chunk: Uint8Array): boolean {
    this.#handler.onResponseData?.(this.#controller, chunk);
    return !this.#controller.paused;
  }

  end(trailers: readonly string[]): void {
    this.#controller.detach();
    this.#controller.rawTrailers = trailers;
    this.#handler.onResponseEnd?.(this.#controller, recordOf(trailers));
  }

  error(error: Error): void {
    this.#controller.detach();
    this.#handler.onResponseError?.(this.#controller, error);
  }

  upgrade(status: number, headers: readonly string[], socket: Duplex): void {
    this.#controller.rawHeaders = headers;
    this.#handler.onRequestUpgrade?.(this.#controller, status, recordOf(headers), socket);
  }
}

class LegacyPort implements HandlerPort {
  readonly #handler: LegacyHandler;
  readonly #control: DispatchControl;

  constructor(handler: LegacyHandler, control: DispatchControl) {
    this.#handler = handler;
    this.#control = control;
  }

  start(): void {
    this.#handler.onConnect?.((reason) => this.#control.abort(reason ?? aborted()), {});
  }

  informational(status: number, headers: readonly string[]): void {
    this.#handler.onHeaders?.(status, buffersOf(headers), () => {}, '');
  }

  headers(status: number, headers: readonly string[], statusText: string): void {
    this.#handler.onResponseStarted?.();
    this.#handler.onHeaders?.(status, buffersOf(headers), () => this.#control.resume(), statusText);
  }

  data(chunk: Uint8Array): boolean {
    return this.#handler.onData?.(chunk) !== false;
  }

  end(trailers: readonly string[]): void {
    this.#handler.onComplete?.(buffersOf(trailers));
  }

  error(error: Error): void {
    this.#handler.onError?.(error);
  }

  upgrade(status: number, headers: readonly string[], socket: Duplex): void {
    this.#handler.onUpgrade?.(status, buffersOf(headers), socket);
  }
}

/** undici's RequestAbortedError. */
function aborted(): Error {
  const error = new Error('Request aborted');
  return Object.assign(error, { name: 'AbortError', code: 'UND_ERR_ABORTED' });
}

const buffersOf = (headers: readonly string[]): Buffer[] => headers.map((text) => Buffer.from(text, 'latin1'));

/** As undici's parseHeaders: repeated ones become a list. */
export function recordOf(headers: readonly string[]): HeaderRecord {
  const record: HeaderRecord = {};
  for (let index = 0; index < headers.length; index += 2) {
    const [name, value] = [headers[index] ?? '', headers[index + 1] ?? ''];
    // The name comes from outside: it must not reach the prototype.
    if (name === '__proto__')
      Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
    else if (Object.hasOwn(record, name)) record[name] = [...[record[name] ?? []].flat(), value];
    else record[name] = value;
  }
  return record;
}
