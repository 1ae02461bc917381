import { MeshError } from '../errors.ts';
import type { MeshFetch } from './fetch/mesh-fetch.ts';
import { originalFetch, REPLACED } from './fetch/platform-fetch.ts';
import { GLOBAL_DISPATCHERS, type GlobalDispatchers } from './undici/load.ts';

/** Who is installed, whichever copy of the package did it. */
const INSTALLED: unique symbol = Symbol.for('inmesh.installed.1') as never;

interface Global {
  [INSTALLED]?: { readonly owner: object; readonly installation: Disposable } | undefined;
}

export interface Installable {
  /** Tells meshes apart. */
  readonly owner: object;
  readonly fetch: MeshFetch;
  readonly dispatcher: object;
  /** Called before anything is replaced. */
  readonly prepare: () => void;
}

/**
 * Puts the mesh in the place of `globalThis.fetch` and of undici's global dispatcher, for code that knows nothing of it.
 * Dispose of the result to undo it. Throws MESH_CONFIG_INVALID when another mesh is installed.
 */
export function install(mesh: Installable): Disposable {
  const scope = globalThis as Global;
  const standing = scope[INSTALLED];
  if (standing !== undefined) {
    if (standing.owner === mesh.owner) return standing.installation;
    throw new MeshError('MESH_CONFIG_INVALID', 'another mesh is installed in this process', {
      hint: 'dispose of what its install() returned first',
    });
  }
  // Makes the platform set up its own agent now, so that it is known what to go back to.
  void globalThis.Response;
  mesh.prepare();
  const restoreFetch = replaceFetch(mesh.fetch);
  const restoreDispatchers = GLOBAL_DISPATCHERS.map((key) => replaceDispatcher(key, mesh.dispatcher));
  const installation: Disposable = {
    [Symbol.dispose]() {
      if (scope[INSTALLED]?.installation !== installation) return;
      scope[INSTALLED] = undefined;
      restoreFetch();
      for (const restore of restoreDispatchers) restore();
    },
  };
  scope[INSTALLED] = { owner: mesh.owner, installation };
  return installation;
}

function replaceFetch(meshFetch: MeshFetch): () => void {
  const before = globalThis.fetch;
  const fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => meshFetch(input, init);
  Object.defineProperty(fetch, REPLACED, { value: originalFetch() });
  globalThis.fetch = fetch;
  return () => {
    // Somebody may have wrapped ours meanwhile: theirs is not ours to take away.
    if (globalThis.fetch === fetch) globalThis.fetch = before;
  };
}

function replaceDispatcher(key: symbol, dispatcher: object): () => void {
  const scope = globalThis as GlobalDispatchers;
  const before = scope[key];
  // undici defines it just so, and cannot be told to define it otherwise later.
  if (!Object.hasOwn(scope, key)) {
    Object.defineProperty(scope, key, { value: undefined, writable: true, enumerable: false, configurable: false });
  }
  scope[key] = dispatcher as NonNullable<typeof before>;
  return () => {
    if (scope[key] === dispatcher) scope[key] = before;
  };
}
