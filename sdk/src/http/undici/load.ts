import type * as Undici from 'undici';

const MODERN = Symbol.for('undici.globalDispatcher.2');
const LEGACY = Symbol.for('undici.globalDispatcher.1');

/** The two places where undici of any copy, the platform's included, looks for its global dispatcher. */
export const GLOBAL_DISPATCHERS = [MODERN, LEGACY] as const;

export type GlobalDispatchers = Partial<
  Record<symbol, { dispatch(options: object, handler: object): boolean } | undefined>
>;

let loading: Promise<typeof Undici> | undefined;

/** Loaded on first use: 100 ms and 30 MB that an application of meshFetch alone never pays. */
export function loadUndici(): Promise<typeof Undici> {
  loading ??= importQuietly();
  return loading;
}

async function importQuietly(): Promise<typeof Undici> {
  const restore = rememberGlobals();
  const undici = await import('undici');
  restore();
  return undici;
}

export function requireUndici(): typeof Undici {
  const restore = rememberGlobals();
  const undici = process.getBuiltinModule('node:module').createRequire(import.meta.url)('undici') as typeof Undici;
  restore();
  return undici;
}

/** undici's import puts its own agent where the platform's fetch would find it; that is not ours to decide for an app. */
function rememberGlobals(): () => void {
  const scope = globalThis as GlobalDispatchers;
  const before = GLOBAL_DISPATCHERS.map((key) => [key, scope[key]] as const);
  // It does so only where nothing stands at all.
  if (scope[MODERN] !== undefined) return () => {};
  return () => {
    for (const [key, value] of before) if (scope[key] !== value) scope[key] = value;
  };
}
