/** Envoy Utility::makeSetCookieValue; no Max-Age makes it a session cookie. */
export function setCookie(
  cookie: { readonly name: string; readonly path: string; readonly ttlMs?: number },
  value: string,
): string {
  const seconds = Math.floor((cookie.ttlMs ?? 0) / 1000);
  const maxAge = seconds === 0 ? '' : `; Max-Age=${seconds}`;
  const path = cookie.path === '' ? '' : `; Path=${cookie.path}`;
  return `${cookie.name}="${value}"${maxAge}${path}; HttpOnly`;
}
