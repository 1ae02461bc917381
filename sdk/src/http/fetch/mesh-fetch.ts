import type { MeshRequestInit, MeshResponse } from '../call-policy.ts';
import type { BodySource } from '../platform-types.ts';
import type { MeshRuntime } from '../runtime.ts';
import { runFetch } from './fetch-call.ts';
import { type FetchInput, isRequestLike, normaliseFetch } from './fetch-input.ts';
import { originalFetch, platformFetch } from './platform-fetch.ts';

/** fetch, through the mesh. */
export type MeshFetch = (input: string | URL | Request, init?: MeshRequestInit) => Promise<MeshResponse>;

/**
 * `dispatcher`: undici's interface to the same mesh. The platform's fetch runs on it for hosts outside the mesh, whose
 * redirects may lead back into it, and for what only it does.
 */
export function createMeshFetch(runtime: MeshRuntime, dispatcher: object): MeshFetch {
  const onPlatform = (input: unknown, init: MeshRequestInit | undefined): Promise<Response> =>
    platformFetch(...asPlatformTakesIt(input, init), dispatcher);
  return (input, init) => {
    try {
      const normalised = normaliseFetch(input, init);
      if (normalised === 'platform') return onPlatform(input, init);
      const passThrough = (current: FetchInput, redirects: number) =>
        redirects === 0 ? onPlatform(input, init) : passOn(current, dispatcher);
      return runFetch({ runtime, passThrough }, normalised);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

let hasSaidSo = false;

/** Without a control plane: the platform's own fetch, said once. */
export function createPlainFetch(): MeshFetch {
  return async (input, init) => {
    if (!hasSaidSo) {
      hasSaidSo = true;
      process.emitWarning('no control plane is named: calls go out as written', {
        type: 'InmeshWarning',
        code: 'INMESH_OFF',
        detail: 'Set INMESH_XDS=host:port, or INMESH_REQUIRED=1 to make this an error.',
      });
    }
    return originalFetch()(...asPlatformTakesIt(input, init));
  };
}

type PlatformArguments = readonly [input: string | URL | Request, init: RequestInit | undefined];

/** The platform does not know a Request of npm undici: it takes its parts. */
function asPlatformTakesIt(input: unknown, init: MeshRequestInit | undefined): PlatformArguments {
  if (!isRequestLike(input) || input instanceof Request) return [input as string | URL | Request, init];
  const { url, method, headers, body, signal, redirect } = input;
  const own = { method, headers: [...headers] as [string, string][], redirect, ...(signal && { signal }) };
  return [url, { ...own, ...(body !== null && { body: body as BodySource, duplex: 'half' }), ...init } as RequestInit];
}

/** A redirect out of the mesh. What came of it was redirected, though the platform does not know. */
async function passOn(input: FetchInput, dispatcher: object): Promise<Response> {
  const { url, method, headers, signal, body } = input;
  const pairs: [string, string][] = [];
  for (let index = 0; index < headers.length; index += 2) pairs.push([headers[index] ?? '', headers[index + 1] ?? '']);
  const opened = await body.open();
  const sent =
    opened.kind === 'none'
      ? {}
      : opened.kind === 'bytes'
        ? { body: opened.bytes as BodySource }
        : { body: opened.stream as unknown as BodySource, duplex: 'half' };
  const init = { method, headers: pairs, ...(signal && { signal }), ...sent } as RequestInit;
  const response = await platformFetch(url, init, dispatcher);
  return Object.defineProperty(response, 'redirected', { value: true, configurable: true });
}
