import type { Dispatcher } from 'undici';
import type { CallPolicy } from '../call-policy.ts';
import { loadUndici } from './load.ts';

/** undici.request's options with the mesh's own. */
export type MeshRequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method' | 'dispatcher'> & {
  readonly path?: string;
  readonly method?: Dispatcher.HttpMethod;
  readonly mesh?: CallPolicy;
};

/** undici.request through the mesh: `{ statusCode, headers, body, trailers, … }`. */
export type MeshRequestFunction = (
  url: string | URL,
  options?: MeshRequestOptions,
) => Promise<Dispatcher.ResponseData<unknown>>;

export function createRequest(dispatcher: Dispatcher): MeshRequestFunction {
  return async (url, options = {}) => {
    const { request } = await loadUndici();
    const answer = request(url, { ...options, dispatcher } as Parameters<typeof request>[1]);
    const signal = options.signal as AbortSignal | null | undefined;
    return signal instanceof AbortSignal ? abortable(answer, signal) : answer;
  };
}

/** undici hears of an abort only once a request has started; one that still waits for configuration ends here. */
function abortable<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
