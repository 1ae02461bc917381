import type { Dispatch } from './dispatch.ts';
import { isControllerHandler, type UndiciHandler } from './handlers.ts';
import { GLOBAL_DISPATCHERS, type GlobalDispatchers, loadUndici } from './load.ts';

/** Marks dispatchers of any copy of the mesh: none of them is somewhere else to send a call. */
export const MESH_DISPATCHER: unique symbol = Symbol.for('inmesh.dispatcher.1') as never;

interface SomeDispatcher {
  dispatch(options: object, handler: object): boolean;
  readonly [MESH_DISPATCHER]?: true;
}

/** Where calls go that are none of the mesh's: to what was the global dispatcher before the mesh, of the handler's own generation. */
export interface Passthrough {
  readonly dispatch: Dispatch;
  /** Remembers what stands there now, before it is replaced. */
  keep(): void;
  close(): Promise<void>;
}

export function createPassthrough(): Passthrough {
  const kept = new Map<symbol, SomeDispatcher>();
  let own: ({ close(): Promise<void> } & SomeDispatcher) | undefined;
  const standing = (key: symbol): SomeDispatcher | undefined => {
    const current = (globalThis as GlobalDispatchers)[key] as SomeDispatcher | undefined;
    return current !== undefined && current[MESH_DISPATCHER] !== true ? current : kept.get(key);
  };
  const onOwn = async (options: object, handler: UndiciHandler): Promise<void> => {
    const { Agent, Dispatcher1Wrapper } = await loadUndici();
    own ??= new Agent() as unknown as typeof own & object;
    // The wrapper lets handlers of the older generation onto an agent of the newer one.
    const agent = isControllerHandler(handler)
      ? own
      : (new Dispatcher1Wrapper(own as never) as unknown as SomeDispatcher);
    agent.dispatch(options, handler);
  };
  return {
    dispatch(options, handler) {
      const [modern, legacy] = GLOBAL_DISPATCHERS;
      const found = isControllerHandler(handler) ? standing(modern) : standing(legacy);
      if (found !== undefined) return found.dispatch(options, handler);
      onOwn(options, handler).catch((error: unknown) => failOn(handler, error as Error));
      return true;
    },
    keep() {
      for (const key of GLOBAL_DISPATCHERS) {
        const current = standing(key);
        if (current !== undefined) kept.set(key, current);
      }
    },
    close: async () => own?.close(),
  };
}

function failOn(handler: UndiciHandler, error: Error): void {
  if (isControllerHandler(handler)) handler.onResponseError?.(null, error);
  else handler.onError?.(error);
}
