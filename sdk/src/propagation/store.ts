import { AsyncLocalStorage } from 'node:async_hooks';

/** What calls take over from the inbound request that they are made for. */
export interface Inbound {
  /** Headers that go along: one flat list, names lower case. */
  readonly headers: readonly string[];
  /** When its caller stops waiting, on the monotonic clock; undefined: it did not say. */
  readonly dueMs: number | undefined;
  /** Who made it. */
  readonly sourceIp: string | undefined;
}

/** Under a versioned symbol: two copies of the package in one process hand on each other's headers. */
const KEY: unique symbol = Symbol.for('inmesh.propagation.1') as never;

interface Global {
  [KEY]?: AsyncLocalStorage<Inbound>;
}

/** Made by the first middleware: a process without one pays nothing for it. */
export function propagationStore(): AsyncLocalStorage<Inbound> {
  const scope = globalThis as Global;
  scope[KEY] ??= new AsyncLocalStorage<Inbound>({ name: 'inmesh' });
  return scope[KEY];
}

export const currentInbound = (): Inbound | undefined => (globalThis as Global)[KEY]?.getStore();

/** Adds what came in to what goes out, never over what the caller set. */
export function addPropagated(headers: string[]): void {
  const propagated = currentInbound()?.headers;
  if (propagated === undefined) return;
  const own = headers.length;
  for (let index = 0; index < propagated.length; index += 2) {
    const name = propagated[index] ?? '';
    let isSet = false;
    for (let at = 0; at < own; at += 2) if (headers[at] === name) isSet = true;
    if (!isSet) headers.push(name, propagated[index + 1] ?? '');
  }
}
