import { NO_BODY } from '../request-body.ts';
import { indexOfHeader, removeHeader } from '../request-headers.ts';
import type { FetchInput } from './fetch-input.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
export const MOST_REDIRECTS = 20;

export const isRedirect = (status: number): boolean => REDIRECTS.has(status);

export function headerOf(list: readonly string[], name: string): string | undefined {
  const index = indexOfHeader(list, name);
  return index < 0 ? undefined : list[index + 1];
}

const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];
/** Never told to another origin (WHATWG fetch "HTTP-redirect fetch" step 13; undici adds cookie). */
const SECRET_HEADERS = ['authorization', 'proxy-authorization', 'cookie'];

/**
 * The request a redirect leads to (WHATWG fetch "HTTP-redirect fetch"). Throws what fetch fails with. `headers` are those
 * the caller gave: what the mesh added for one host is not carried to the next.
 */
export function redirectedInput(input: FetchInput, status: number, location: string): FetchInput {
  const url = locate(location, input.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error('URL scheme must be a HTTP(S) scheme');
  const isSameOrigin = url.origin === input.url.origin;
  if (!isSameOrigin && (url.username !== '' || url.password !== '')) {
    throw new Error('cross origin not allowed for request mode "cors"');
  }
  if (status !== 303 && !input.body.replayable) throw new Error('the body is a stream: it cannot be sent again');
  const headers = [...input.headers];
  const becomesGet =
    ((status === 301 || status === 302) && input.method === 'POST') ||
    (status === 303 && input.method !== 'GET' && input.method !== 'HEAD');
  if (becomesGet) for (const name of BODY_HEADERS) removeHeader(headers, name);
  if (!isSameOrigin) for (const name of SECRET_HEADERS) removeHeader(headers, name);
  return {
    ...input,
    url,
    headers,
    method: becomesGet ? 'GET' : input.method,
    body: becomesGet ? NO_BODY : input.body,
    // A host header speaks for the origin it was written for.
    host: isSameOrigin ? input.host : undefined,
  };
}

function locate(location: string, base: URL): URL {
  // Servers send UTF-8 here; header bytes are read as Latin-1 (undici does the same).
  const text = /[\x80-\xff]/.test(location) ? Buffer.from(location, 'latin1').toString('utf8') : location;
  const url = new URL(text, base);
  if (url.hash === '') url.hash = base.hash;
  return url;
}
