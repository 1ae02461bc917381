import { AsyncLocalStorage } from 'node:async_hooks';

/** Headers that go along with calls made while an inbound request is handled: one flat list, names lower case. */
export type Propagated = readonly string[];

/** Under a versioned symbol: two copies of the package in one process hand on each other's headers. */
const KEY: unique symbol = Symbol.for('inmesh.propagation.1') as never;

interface Global {
  [KEY]?: AsyncLocalStorage<Propagated>;
}

/** Made by the first middleware: a process without one pays nothing for it. */
export function propagationStore(): AsyncLocalStorage<Propagated> {
  const scope = globalThis as Global;
  scope[KEY] ??= new AsyncLocalStorage<Propagated>({ name: 'inmesh' });
  return scope[KEY];
}

export const currentlyPropagated = (): Propagated | undefined => (globalThis as Global)[KEY]?.getStore();

/** Adds what came in to what goes out, never over what the caller set. */
export function addPropagated(headers: string[]): void {
  const propagated = currentlyPropagated();
  if (propagated === undefined) return;
  const own = headers.length;
  for (let index = 0; index < propagated.length; index += 2) {
    const name = propagated[index] ?? '';
    let isSet = false;
    for (let at = 0; at < own; at += 2) if (headers[at] === name) isSet = true;
    if (!isSet) headers.push(name, propagated[index + 1] ?? '');
  }
}
