import type { Outgoing } from '../outgoing.ts';
import { invalidArgument } from '../request-headers.ts';
import type { MeshRuntime } from '../runtime.ts';
import { DispatchCall } from './dispatch-call.ts';
import { type DispatchInput, readDispatch } from './dispatch-input.ts';
import { isControllerHandler, type UndiciHandler } from './handlers.ts';

/** undici's one verb. true: more may be dispatched. */
export type Dispatch = (options: DispatchInput, handler: UndiciHandler) => boolean;

/** Calls to hosts of the mesh go through it, all others to `next`, as they were written. */
export function createDispatch(runtime: MeshRuntime, next: Dispatch): Dispatch {
  return (options, handler) => {
    if (typeof handler !== 'object' || handler === null) throw invalidArgument('handler must be an object');
    let outgoing: Outgoing | undefined;
    try {
      if (typeof options !== 'object' || options === null) throw invalidArgument('opts must be an object.');
      outgoing = readDispatch(options);
    } catch (error) {
      fail(handler, error as Error);
      return false;
    }
    if (outgoing === undefined) return next(options, handler);
    const { host } = outgoing.dialled;
    const passOn = () => {
      runtime.emit({ kind: 'passthrough', host, cluster: 'PassthroughCluster' });
      next(options, handler);
    };
    new DispatchCall(handler, passOn).start(runtime, outgoing, options);
    return true;
  };
}

function fail(handler: UndiciHandler, error: Error): void {
  if (isControllerHandler(handler)) {
    if (handler.onResponseError === undefined) throw error;
    handler.onResponseError(null, error);
  } else if (handler.onError === undefined) throw error;
  else handler.onError(error);
}

/** undici's interceptor: for `dispatcher.compose(mesh.interceptor())`. */
export type Interceptor = (next: Dispatch) => Dispatch;

export const createInterceptor =
  (runtime: MeshRuntime): Interceptor =>
  (next) =>
    createDispatch(runtime, next);
