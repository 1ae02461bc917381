import { cookieOf } from '../match/cookie.ts';
import { headerValue } from '../match/headers.ts';
import type { StatefulSession } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { setCookie } from '../route/cookie.ts';

/** The host a request's session names; undefined: it has none, or one that is over. */
export function sessionAddress(
  session: StatefulSession,
  { headers, path }: MeshRequest,
  wallTimeMs: number,
): string | undefined {
  if (session.kind === 'none') return undefined;
  if (session.kind === 'header') {
    const value = headerValue(headers, session.name);
    return value === undefined ? undefined : fromBase64(value).toString('utf8') || undefined;
  }
  if (!pathFits(session.path, path)) return undefined;
  const value = cookieOf(headers, session.name);
  const { address, expirySeconds } = value === undefined ? NO_STATE : readState(fromBase64(value));
  return expirySeconds > 0 && expirySeconds * 1_000 < wallTimeMs ? undefined : address || undefined;
}

/** Headers that tell the caller of its session, where its host is another than the request said. */
export function sessionHeaders(
  session: StatefulSession,
  request: MeshRequest,
  address: string,
  wallTimeMs: number,
): readonly string[] {
  if (session.kind === 'none') return NO_HEADERS;
  if (session.kind === 'cookie' && !pathFits(session.path, request.path)) return NO_HEADERS;
  if (sessionAddress(session, request, wallTimeMs) === address) return NO_HEADERS;
  if (session.kind === 'header') return [session.name, Buffer.from(address).toString('base64')];
  const { name, path, ttlMs = 0 } = session;
  const expirySeconds = ttlMs > 0 ? Math.floor((wallTimeMs + ttlMs) / 1_000) : 0;
  const value = writeState({ address, expirySeconds }).toString('base64');
  return ['set-cookie', setCookie({ name, path, ttlMs }, value)];
}

const NO_HEADERS: readonly string[] = [];

const fromBase64 = (text: string): Buffer => Buffer.from(text, 'base64');

/** Envoy CookieBasedSessionStateFactory: the cookie's path, as RFC 6265 §5.1.4 matches it. */
function pathFits(wanted: string, path: string): boolean {
  if (wanted === '' || wanted === '/') return true;
  if (!path.startsWith(wanted)) return false;
  const next = path[wanted.length];
  return wanted.endsWith('/') || next === undefined || next === '/' || next === '?' || next === '#';
}

/** envoy.Cookie: `string address = 1; uint64 expires = 2`. Envoy's clock is the host's uptime, ours the calendar. */
interface SessionState {
  readonly address: string;
  /** 0 = never. */
  readonly expirySeconds: number;
}

const NO_STATE: SessionState = { address: '', expirySeconds: 0 };
const ADDRESS_TAG = 0x0a;
const EXPIRES_TAG = 0x10;

function writeState({ address, expirySeconds }: SessionState): Buffer {
  const text = Buffer.from(address);
  const expires = expirySeconds > 0 ? [EXPIRES_TAG, ...varint(expirySeconds)] : [];
  return Buffer.concat([Buffer.from([ADDRESS_TAG, ...varint(text.length)]), text, Buffer.from(expires)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return [...bytes, left];
}

/** What is no such message is no session. */
function readState(bytes: Buffer): SessionState {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  let state = NO_STATE;
  while (at < bytes.length) {
    const tag = bytes[at++];
    const value = number();
    if (tag === ADDRESS_TAG && at + value <= bytes.length) {
      state = { ...state, address: bytes.toString('utf8', at, at + value) };
      at += value;
    } else if (tag === EXPIRES_TAG && !Number.isNaN(value)) state = { ...state, expirySeconds: value };
    else return NO_STATE;
  }
  return state;
}
