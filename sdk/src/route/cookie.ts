import { headerValues } from '../match/headers.ts';
import type { HeaderList } from '../model/headers.ts';

/** The first cookie of that name over all `cookie` headers; empty when there is none (Envoy Utility::parseCookieValue). */
export function cookieValue(headers: HeaderList, name: string): string {
  for (const header of headerValues(headers, 'cookie')) {
    for (const cookie of header.split(';')) {
      const equals = cookie.indexOf('=');
      if (equals >= 0 && cookie.slice(0, equals).replace(/^ +/, '') === name) return unquoted(cookie.slice(equals + 1));
    }
  }
  return '';
}

const unquoted = (value: string): string =>
  value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;

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
