import type { CallPolicy, MeshRequestInit } from '../call-policy.ts';
import type { Redirect } from '../platform-types.ts';
import { policyFault } from '../policy-fault.ts';
import { bodyOfRequest, extractBody, NO_BODY, type RequestBody, withLength } from '../request-body.ts';
import { indexOfHeader, readHeaders, takeConnectionHeaders } from '../request-headers.ts';

/** A Request of any origin: the platform's or npm undici's. Read through its public members only. */
export interface RequestLike {
  readonly url: string;
  readonly method: string;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: unknown;
  readonly bodyUsed: boolean;
  readonly signal?: AbortSignal;
  readonly redirect: Redirect;
  readonly integrity?: string;
  readonly cache?: string;
}

/** One fetch, taken apart. Its headers are its own list: the call may add to it. */
export interface FetchInput {
  readonly url: URL;
  readonly method: string;
  readonly headers: string[];
  /** An explicit `host`: what `:authority` matches see; never where it is dialled. */
  readonly host: string | undefined;
  readonly body: RequestBody;
  readonly signal: AbortSignal | undefined;
  readonly redirect: Redirect;
  readonly policy: CallPolicy | undefined;
}

/**
 * What is to be done with fetch's arguments. `platform`: they ask for something only the platform's fetch does (integrity,
 * cache modes, another scheme), or are wrong in a way it rejects best.
 */
export type Normalised = FetchInput | 'platform';

const METHODS = new Map(
  ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'].flatMap((method) =>
    // fetch normalises all of these but PATCH.
    method === 'PATCH'
      ? [[method, method]]
      : [
          [method, method],
          [method.toLowerCase(), method],
        ],
  ) as [string, string][],
);
const REDIRECTS = new Set<unknown>(['follow', 'manual', 'error', undefined]);
const CREDENTIALS = new Set<unknown>(['omit', 'same-origin', 'include', undefined]);
const NO_CACHE = [
  ['pragma', 'no-cache'],
  ['cache-control', 'no-cache'],
] as const;
/** There is no cache here; what a cache mode sends along (WHATWG fetch, HTTP-network-or-cache fetch, 8.16 to 8.18). */
const CACHE_HEADERS = new Map<unknown, readonly (readonly [name: string, value: string])[]>([
  ['default', []],
  ['force-cache', []],
  ['no-cache', [['cache-control', 'max-age=0']]],
  ['no-store', NO_CACHE],
  ['reload', NO_CACHE],
]);
const NO_INIT: MeshRequestInit = {};

/** Throws TypeError where fetch rejects. */
export function normaliseFetch(input: unknown, given?: MeshRequestInit | null): Normalised {
  const init = given ?? NO_INIT;
  if (typeof init !== 'object' && typeof init !== 'function') throw new TypeError('RequestInit is not an object');
  const fault = init.mesh && policyFault(init.mesh);
  if (fault !== undefined) throw new TypeError(`mesh.${fault}`);
  const request = isRequestLike(input) ? input : undefined;
  const url = parseUrl(request?.url ?? input);
  if (url === undefined || asksForThePlatform(init, request)) return 'platform';
  const method = methodOf(init.method ?? request?.method ?? 'GET');
  const signal = init.signal === undefined ? request?.signal : (init.signal ?? undefined);
  if (method === undefined || !isSignal(signal)) return 'platform';
  const extracted = bodyOf(init, request, method);
  const headers = readHeaders(init.headers ?? request?.headers);
  const { host, body } = takeOrFail(headers, extracted);
  if (body.contentType !== undefined && indexOfHeader(headers, 'content-type') < 0) {
    headers.push('content-type', body.contentType);
  }
  for (const [name, value] of CACHE_HEADERS.get(init.cache ?? request?.cache ?? 'default') ?? []) {
    if (indexOfHeader(headers, name) < 0) headers.push(name, value);
  }
  const redirect = init.redirect ?? request?.redirect ?? 'follow';
  return { url, method, headers, host, body, signal, redirect, policy: init.mesh };
}

export function isRequestLike(input: unknown): input is RequestLike {
  return typeof input === 'object' && input !== null && !(input instanceof URL) && 'headers' in input && 'url' in input;
}

/** undefined: not http(s), not a URL, or with credentials in it: the platform's word counts. */
function parseUrl(input: unknown): URL | undefined {
  const url = input instanceof URL ? input : URL.parse(String(input));
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
}

function asksForThePlatform(init: MeshRequestInit, request: RequestLike | undefined): boolean {
  if (init === NO_INIT && request === undefined) return false;
  const { integrity, cache, mode, referrer, referrerPolicy, window, credentials, redirect, duplex } =
    init as RequestInit & { cache?: unknown; window?: unknown; dispatcher?: unknown };
  return (
    Boolean(integrity ?? request?.integrity) ||
    !CACHE_HEADERS.has(cache ?? request?.cache ?? 'default') ||
    (mode !== undefined && mode !== 'cors') ||
    referrer !== undefined ||
    referrerPolicy !== undefined ||
    window !== undefined ||
    !CREDENTIALS.has(credentials) ||
    !REDIRECTS.has(redirect) ||
    (duplex !== undefined && duplex !== 'half')
  );
}

const methodOf = (method: string): string | undefined =>
  METHODS.get(method) ?? (/^(?:connect|trace|track)$/i.test(method) || !TOKEN.test(method) ? undefined : fold(method));

const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
const fold = (method: string): string => (method === 'patch' ? method : (METHODS.get(method.toLowerCase()) ?? method));

const isSignal = (signal: unknown): signal is AbortSignal | undefined =>
  signal === undefined ||
  (typeof signal === 'object' && signal !== null && 'aborted' in signal && 'addEventListener' in signal);

function bodyOf(init: MeshRequestInit, request: RequestLike | undefined, method: string): RequestBody {
  const given = init.body;
  const isGiven = given !== undefined && given !== null;
  if (!isGiven && request === undefined) return NO_BODY;
  if (isGiven && (method === 'GET' || method === 'HEAD')) {
    throw new TypeError('Request with GET/HEAD method cannot have body.');
  }
  if (!isGiven && request !== undefined) return bodyOfRequest(request);
  const body = extractBody(given);
  if (!body.replayable && (init as { duplex?: unknown }).duplex === undefined) {
    throw new TypeError('RequestInit: duplex option is required when sending a body.');
  }
  return body;
}

/** What undici refuses when it writes the request reads `fetch failed` in fetch. */
function takeOrFail(
  headers: string[],
  body: RequestBody,
): { readonly host: string | undefined; readonly body: RequestBody } {
  if (headers.length === 0) return { host: undefined, body };
  try {
    const { host, contentLength } = takeConnectionHeaders(headers);
    return { host, body: contentLength === undefined ? body : withLength(body, Number(contentLength)) };
  } catch (cause) {
    throw new TypeError('fetch failed', { cause });
  }
}
