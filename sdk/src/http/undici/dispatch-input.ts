import type { CallPolicy } from '../call-policy.ts';
import { authorityOf, type Dialled, dialledOf, pathOf } from '../dialled.ts';
import type { Outgoing } from '../outgoing.ts';
import { policyFault } from '../policy-fault.ts';
import { extractBody, NO_BODY, type RequestBody, withLength } from '../request-body.ts';
import { invalidArgument, takeConnectionHeaders } from '../request-headers.ts';

/** What undici hands to `dispatch`, as far as the mesh reads it. */
export interface DispatchInput {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly upgrade?: boolean | string | null;
  /** Ms from the start to the response head; 0 or nothing = none (undici's own default of 300 s is not taken over). */
  readonly headersTimeout?: number | null;
  /** Ms between two pieces of the body; 0 or nothing = none. */
  readonly bodyTimeout?: number | null;
  readonly mesh?: CallPolicy;
}

/** undefined: nothing a mesh decides on (CONNECT opens a tunnel of the caller's own). Throws what undici throws. */
export function readDispatch(input: DispatchInput): Outgoing | undefined {
  const { origin, method, upgrade } = input;
  if (method === 'CONNECT') return undefined;
  if (origin === undefined || origin === '') throw invalidArgument('opts.origin must be a non-empty string or URL.');
  const fault = input.mesh && policyFault(input.mesh);
  if (fault !== undefined) throw invalidArgument(`opts.mesh.${fault}`);
  const dialled = dialledFrom(origin, input);
  const headers = readDispatchHeaders(input.headers);
  const { host, contentLength } = takeConnectionHeaders(headers);
  const body = bodyOf(input.body, contentLength);
  const authority = host === undefined ? dialled.authority : authorityOf(host);
  const request = { method, scheme: dialled.scheme, authority, path: dialled.path, headers };
  return { dialled, request, body, policy: input.mesh, ...(typeof upgrade === 'string' && { upgrade }) };
}

/** Origins seen before: a dispatcher's callers name the same few again and again. */
const ORIGINS = new Map<string, Dialled>();
const REMEMBERED_ORIGINS = 256;

function dialledFrom(origin: string | URL, { path, query }: DispatchInput): Dialled {
  if (typeof path !== 'string') throw invalidArgument('path must be a string');
  const text = typeof origin === 'string' ? origin : origin.origin;
  let dialled = ORIGINS.get(text);
  if (dialled === undefined) {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw invalidArgument('Invalid URL protocol: the URL must start with `http:` or `https:`.');
    dialled = dialledOf(url);
    if (ORIGINS.size < REMEMBERED_ORIGINS) ORIGINS.set(text, dialled);
  }
  return { ...dialled, path: canonicalPath(query === undefined || query === null ? path : withQuery(path, query)) };
}

/** A path that a URL would give back as it is. */
const CANONICAL =
  /^\/(?!\/)(?:[\w!$&'()*+,\-:;=@~/]|\.(?!\.?(?:$|[/?])|%2e)|%(?!2e)[\da-f]{2})*(?:\?[\w!$&()*+,\-./:;=?@~%[\]^`{|}]*)?$/i;

/** What is decided and what is sent are the same bytes: `/a/../admin` is `/admin` for both (WHATWG URL). */
function canonicalPath(path: string): string {
  if (CANONICAL.test(path)) return path;
  if (!path.startsWith('/') && !/^https?:\/\//.test(path)) {
    throw invalidArgument('path must be an absolute URL or start with a slash');
  }
  if (/[^\x21-\xff]/.test(path)) throw invalidArgument('invalid request path');
  const url = URL.parse(path.startsWith('/') ? `http://host${path}` : path);
  if (url === null) throw invalidArgument('invalid request path');
  return pathOf(url);
}

function withQuery(path: string, query: Readonly<Record<string, unknown>>): string {
  if (/[?#]/.test(path)) throw invalidArgument('Query params cannot be passed when url already contains "?" or "#".');
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) parameters.append(name, String(one));
    }
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** undici takes a flat list, a record with lists as values, or pairs. */
function readDispatchHeaders(given: unknown): string[] {
  const list: string[] = [];
  if (given === undefined || given === null) return list;
  if (typeof given !== 'object') throw invalidArgument('headers must be an object or an array');
  if (Array.isArray(given)) {
    if (given.length % 2 !== 0) throw invalidArgument('headers array must be even');
    for (let index = 0; index < given.length; index += 2) add(list, given[index], given[index + 1]);
  } else if (Symbol.iterator in given) {
    for (const pair of given as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) throw invalidArgument('headers must be in key-value pair format');
      add(list, pair[0], pair[1]);
    }
  } else {
    for (const [name, value] of Object.entries(given)) add(list, name, value);
  }
  return list;
}

function add(list: string[], name: unknown, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value)) {
    for (const one of value) add(list, name, one);
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    throw invalidArgument(`invalid ${String(name)} header`);
  } else {
    list.push(textOf(name).toLowerCase(), value === null ? '' : textOf(value));
  }
}

const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);

function bodyOf(given: unknown, contentLength: string | undefined): RequestBody {
  if (given === undefined || given === null) return NO_BODY;
  const body = extractBody(isSyncIterable(given) ? asStream(given) : given);
  return contentLength === undefined ? body : withLength(body, Number(contentLength));
}

/** undici takes a synchronous iterable of pieces, which fetch would not. */
const isSyncIterable = (given: unknown): given is Iterable<Uint8Array | string> =>
  typeof given === 'object' &&
  given !== null &&
  Symbol.iterator in given &&
  !(Symbol.asyncIterator in given) &&
  !ArrayBuffer.isView(given) &&
  !(given instanceof URLSearchParams) &&
  !('append' in given);

async function* asStream(pieces: Iterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  yield* pieces;
}
