import type { HashPolicy } from '../model/action.ts';

/** Envoy Utility::makeSetCookieValue; no Max-Age makes it a session cookie. */
export function setCookie(
  cookie: Omit<Extract<HashPolicy, { readonly kind: 'cookie' }>, 'kind' | 'terminal'>,
  value: string,
): string {
  const seconds = Math.floor((cookie.ttlMs ?? 0) / 1000);
  const maxAge = seconds === 0 ? '' : `; Max-Age=${seconds}`;
  const path = cookie.path === '' ? '' : `; Path=${cookie.path}`;
  const others = (cookie.attributes ?? []).map(({ name, value: set }) =>
    set === '' ? `; ${name}` : `; ${name}=${set}`,
  );
  return `${cookie.name}="${value}"${maxAge}${path}${others.join('')}; HttpOnly`;
}
