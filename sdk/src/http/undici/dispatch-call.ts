import type { Duplex } from 'node:stream';
import { startExchange } from '../exchange.ts';
import type { Exchange, ExchangeHandler, Outgoing } from '../outgoing.ts';
import type { MeshRuntime } from '../runtime.ts';
import type { DispatchInput } from './dispatch-input.ts';
import { DispatchTimeouts } from './dispatch-timeouts.ts';
import { type HandlerPort, portOf, type UndiciHandler } from './handlers.ts';

/** One dispatch: what the mesh tells, told to undici's handler. A local reply reaches it as an ordinary response. */
export class DispatchCall implements ExchangeHandler {
  readonly #port: HandlerPort;
  readonly #passOn: () => void;
  #exchange: Exchange | undefined;
  #timeouts: DispatchTimeouts | undefined;
  #abortReason: unknown;
  #isDone = false;

  constructor(handler: UndiciHandler, passOn: () => void) {
    this.#port = portOf(handler, this);
    this.#passOn = passOn;
  }

  start(runtime: MeshRuntime, outgoing: Outgoing, options: DispatchInput): void {
    this.#timeouts = DispatchTimeouts.start(options, runtime.clock, (error) => this.abort(error));
    this.#exchange = startExchange(runtime, outgoing, this);
    if (this.#abortReason !== undefined) this.#exchange.abort(this.#abortReason);
  }

  /** The call is the mesh's: from here on the handler may abort it, as of undici's own requests from their start. */
  onStart(): boolean {
    this.#guard(() => this.#port.start());
    if (this.#abortReason !== undefined) this.onError(this.#abortReason);
    return this.#abortReason === undefined;
  }

  abort(reason: unknown): void {
    if (this.#exchange === undefined) this.#abortReason = reason;
    else this.#exchange.abort(reason);
  }

  resume(): void {
    this.#timeouts?.progressed();
    this.#exchange?.resume();
  }

  onPassthrough(): void {
    // undici keeps the caller's own times from here on.
    this.#finish();
    this.#passOn();
  }

  onInformational(status: number, headers: string[]): void {
    this.#port.informational(status, headers);
  }

  onHeaders(status: number, headers: string[], statusText: string): void {
    this.#timeouts?.progressed();
    if (this.#abortReason === undefined) this.#guard(() => this.#port.headers(status, headers, statusText));
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isDone) return true;
    this.#timeouts?.progressed();
    try {
      const isFlowing = this.#port.data(chunk);
      if (!isFlowing) this.#timeouts?.stop();
      return isFlowing;
    } catch (error) {
      this.abort(error);
      return true;
    }
  }

  onEnd(trailers: string[]): void {
    if (this.#isDone) return;
    this.#finish();
    try {
      this.#port.end(trailers);
    } catch (error) {
      // As undici: what its own end throws is the handler's error.
      this.#port.error(error as Error);
    }
  }

  onUpgrade(status: number, headers: string[], socket: Duplex): void {
    this.#finish();
    this.#port.upgrade(status, headers, socket);
  }

  onError(error: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    this.#port.error(error as Error);
  }

  #finish(): void {
    this.#isDone = true;
    this.#timeouts?.stop();
  }

  /** What a handler throws ends its call, as in undici. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.abort(error);
    }
  }
}
