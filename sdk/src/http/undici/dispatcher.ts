import { EventEmitter } from 'node:events';
import type { Dispatcher } from 'undici';
import type { Dispatch, Interceptor } from './dispatch.ts';
import type { DispatchInput } from './dispatch-input.ts';
import type { UndiciHandler } from './handlers.ts';
import { loadUndici, requireUndici } from './load.ts';
import { MESH_DISPATCHER } from './passthrough.ts';

type Callback = (error: Error | null, value: unknown) => void;

/** The mesh as a Dispatcher of undici: for its fetch, request, stream, WebSocket and EventSource, and the platform's. */
export class MeshDispatcher extends EventEmitter {
  readonly #dispatch: Dispatch;
  readonly #close: () => Promise<void>;
  readonly [MESH_DISPATCHER] = true;
  #isClosed = false;

  constructor(dispatch: Dispatch, close: () => Promise<void>) {
    super();
    this.#dispatch = dispatch;
    this.#close = close;
  }

  static create(dispatch: Dispatch, close: () => Promise<void>): Dispatcher {
    return new MeshDispatcher(dispatch, close) as unknown as Dispatcher;
  }

  dispatch(options: DispatchInput, handler: UndiciHandler): boolean {
    return this.#dispatch(options, handler);
  }

  compose(...interceptors: readonly (Interceptor | readonly Interceptor[] | null | undefined)[]): Dispatcher {
    let dispatch: Dispatch = (options, handler) => this.#dispatch(options, handler);
    for (const interceptor of interceptors.flat()) {
      if (interceptor === null || interceptor === undefined) continue;
      dispatch = interceptor(dispatch);
    }
    return MeshDispatcher.create(dispatch, this.#close);
  }

  request(options: object, callback?: Callback): Promise<unknown> | undefined {
    return this.#api('request', [options], callback);
  }

  stream(options: object, factory: object, callback?: Callback): Promise<unknown> | undefined {
    return this.#api('stream', [options, factory], callback);
  }

  connect(options: object, callback?: Callback): Promise<unknown> | undefined {
    return this.#api('connect', [options], callback);
  }

  upgrade(options: object, callback?: Callback): Promise<unknown> | undefined {
    return this.#api('upgrade', [options], callback);
  }

  /** A Duplex is wanted at once: undici is loaded in this turn. */
  pipeline(options: object, handler: object): unknown {
    const { Dispatcher } = requireUndici();
    return Dispatcher.prototype.pipeline.call(this as never, options as never, handler as never);
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  get destroyed(): boolean {
    return this.#isClosed;
  }

  close(callback?: () => void): Promise<void> | undefined {
    this.#isClosed = true;
    const closed = this.#close();
    if (callback === undefined) return closed;
    void closed.then(callback);
    return undefined;
  }

  destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    return this.close(typeof error === 'function' ? error : callback);
  }

  /** undici's own methods, which need nothing but `dispatch`. */
  #api(
    name: 'request' | 'stream' | 'connect' | 'upgrade',
    args: unknown[],
    callback?: Callback,
  ): Promise<unknown> | undefined {
    const result = loadUndici().then(({ Dispatcher: { prototype } }) => {
      const method = prototype[name] as unknown as (...args: unknown[]) => Promise<unknown>;
      return method.apply(this, args);
    });
    if (callback === undefined) return result;
    result.then(
      (value) => callback(null, value),
      (error: Error) => callback(error, null),
    );
    return undefined;
  }
}
