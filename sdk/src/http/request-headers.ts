import type { HeadersSource } from './platform-types.ts';

/**
 * fetch's headers as the mesh carries them: one flat list, names lower case. Anything out of the ordinary is handed to the
 * platform's own Headers, which normalises it or rejects it exactly as fetch does.
 */
export function readHeaders(init: unknown): string[] {
  if (init === undefined || init === null) return [];
  if (typeof init === 'object' && !(Symbol.iterator in init)) {
    const list = readRecord(init as Readonly<Record<string, unknown>>);
    if (list !== undefined) return list;
  }
  return flatten(new Headers(init as HeadersSource));
}

export function flatten(headers: Iterable<readonly [string, string]>): string[] {
  const list: string[] = [];
  for (const [name, value] of headers) list.push(name, value);
  return list;
}

/** Names seen before, by their spelling: validated and lower-cased once. Bounded, since names may come from outside. */
const NAMES = new Map<string, string>();
const REMEMBERED_NAMES = 1_024;
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
/** Without white space at either end. */
const PLAIN_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

function readRecord(init: Readonly<Record<string, unknown>>): string[] | undefined {
  const list: string[] = [];
  for (const key of Object.keys(init)) {
    const name = NAMES.get(key) ?? learn(key);
    const value = init[key];
    if (name === undefined || typeof value !== 'string' || !PLAIN_VALUE.test(value)) return undefined;
    list.push(name, value);
  }
  return list;
}

function learn(key: string): string | undefined {
  if (!TOKEN.test(key)) return undefined;
  const name = key.toLowerCase();
  if (NAMES.size < REMEMBERED_NAMES) NAMES.set(key, name);
  return name;
}

export function indexOfHeader(list: readonly string[], name: string): number {
  for (let index = 0; index < list.length; index += 2) if (list[index] === name) return index;
  return -1;
}

export function removeHeader(list: string[], name: string): void {
  for (let index = indexOfHeader(list, name); index >= 0; index = indexOfHeader(list, name)) list.splice(index, 2);
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** Headers that undici refuses to send, with its words (RFC 9110 §7.6.1: they belong to the connection, not to the call). */
const REFUSED = new Set(['transfer-encoding', 'keep-alive', 'upgrade', 'expect']);

export interface TakenHeaders {
  /** The value of an explicit `host`. */
  readonly host: string | undefined;
  /** The value of an explicit `content-length`. */
  readonly contentLength: string | undefined;
}

const NOTHING_TAKEN: TakenHeaders = { host: undefined, contentLength: undefined };

/**
 * Takes out of the list what is not part of the call itself: host, content-length and what belongs to a connection (with
 * what `connection` names). Throws what undici throws for the ones it refuses.
 */
export function takeConnectionHeaders(list: string[]): TakenHeaders {
  let special = false;
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] as string;
    if (name === 'host' || name === 'content-length' || HOP_BY_HOP.has(name)) special = true;
  }
  if (!special) return NOTHING_TAKEN;
  let host: string | undefined;
  let contentLength: string | undefined;
  const named = new Set<string>();
  for (let index = 0; index < list.length; index += 2) {
    const [name, value] = [list[index] as string, list[index + 1] as string];
    if (REFUSED.has(name))
      throw invalidArgument(name === 'expect' ? 'expect header not supported' : `invalid ${name} header`);
    if (name === 'host') host = once(host, value, name);
    else if (name === 'content-length') contentLength = once(contentLength, value, name);
    else if (name === 'connection') for (const token of value.toLowerCase().split(',')) named.add(token.trim());
  }
  if (contentLength !== undefined && !/^\d+$/.test(contentLength))
    throw invalidArgument('invalid content-length header');
  const kept = list.splice(0);
  for (let index = 0; index < kept.length; index += 2) {
    const [name, value] = [kept[index] as string, kept[index + 1] as string];
    const isOurs = name === 'host' || name === 'content-length' || named.has(name);
    if (!isOurs && (!HOP_BY_HOP.has(name) || (name === 'te' && value === 'trailers'))) list.push(name, value);
  }
  return { host, contentLength };
}

function once(known: string | undefined, value: string, name: string): string {
  if (known !== undefined) throw invalidArgument(`duplicate ${name} header`);
  return value;
}

/** undici's InvalidArgumentError, without loading undici for it. */
export function invalidArgument(message: string): Error {
  const error = new Error(message);
  error.name = 'InvalidArgumentError';
  return Object.assign(error, { code: 'UND_ERR_INVALID_ARG' });
}
