import { utf8Bytes } from '@inmesh/sdk/internal/match/utf8';
import type { MeshRequest } from '@inmesh/sdk/internal/model/request';
import { isRecord } from './json-fault.ts';

/** What stands in a file is not what is expected there: exit code 2, without the usage text. */
export class FileError extends Error {}

export interface Question {
  readonly request: MeshRequest;
  /** Decides splits and fractions. */
  readonly draw: number;
}

const KEYS = ['method', 'scheme', 'authority', 'path', 'headers', 'random', 'runtime', 'metadata'];

type Fields = Readonly<Record<string, unknown>>;

/** One request or an array of them. */
export function readRequests(text: string, file: string): Question | readonly Question[] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new FileError(`${file}: no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return Array.isArray(value)
    ? value.map((one: unknown, index) => readRequest(one, `${file}: [${index}]`))
    : readRequest(value, file);
}

export function readRequest(value: unknown, where: string): Question {
  if (!isRecord(value)) throw wrong(where, '', value, 'an object is expected');
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw new FileError(`${where}: ${unknown}: unknown, one of ${KEYS.join(', ')} allowed`);
  const at = (key: string) => [value[key], where, key] as const;
  const { authority, headers } = readHeaders(value, where);
  return {
    draw: wholeNumber(...at('random')),
    request: {
      method: text(...at('method')) ?? 'GET',
      scheme: scheme(...at('scheme')),
      authority: utf8Bytes(authority),
      path: utf8Bytes(text(...at('path')) ?? '/'),
      headers,
      runtime: new Map(
        Object.entries(record(...at('runtime'))).map(([key, set]) => [key, runtimeValue(set, where, key)]),
      ),
      metadata: new Map(
        Object.entries(record(...at('metadata'))).map(([key, inner]) => [key, record(inner, where, `metadata.${key}`)]),
      ),
    },
  };
}

const wrong = (where: string, path: string, value: unknown, expected: string): FileError =>
  new FileError(`${where}: ${path === '' ? '' : `${path}: `}got ${JSON.stringify(value) ?? 'nothing'}, ${expected}`);

function text(value: unknown, where: string, key: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(where, key, value, 'a string is expected');
}

function record(value: unknown, where: string, key: string): Fields {
  if (value === undefined) return {};
  if (isRecord(value)) return value;
  throw wrong(where, key, value, 'an object is expected');
}

function scheme(value: unknown, where: string, key: string): 'http' | 'https' {
  const given = text(value, where, key)?.toLowerCase() ?? 'http';
  if (given === 'http' || given === 'https') return given;
  throw wrong(where, key, value, 'http or https is expected');
}

function wholeNumber(value: unknown, where: string, key: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(where, key, value, `an integer from 0 to ${Number.MAX_SAFE_INTEGER} is expected`);
}

function runtimeValue(value: unknown, where: string, key: string): boolean | number {
  if (typeof value === 'boolean' || typeof value === 'number') return value;
  throw wrong(where, `runtime.${key}`, value, 'true, false or a number is expected');
}

/** HTTP/1.1's Host is the authority, as in Envoy. */
function readHeaders(value: Fields, where: string): { readonly authority: string; readonly headers: string[] } {
  let authority = text(value.authority, where, 'authority');
  const headers: string[] = [];
  for (const [given, values] of Object.entries(record(value.headers, where, 'headers'))) {
    const name = given.toLowerCase();
    const path = `headers.${given}`;
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name))
      throw wrong(
        where,
        path,
        values,
        'the name of a header is expected; method, scheme, authority and path stand beside',
      );
    const list = stringsOf(values, where, path);
    if (name !== 'host') {
      headers.push(...list.flatMap((one) => [name, utf8Bytes(one)]));
      continue;
    }
    authority ??= list[0];
    if (list.some((one) => one !== authority))
      throw wrong(where, path, values, `it is the authority, which is ${JSON.stringify(authority)}`);
  }
  return { authority: authority ?? '', headers };
}

function stringsOf(value: unknown, where: string, path: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((one) => {
    // A line break would end the header on the wire (RFC 9110 §5.5).
    if (typeof one === 'string' && !/[\0\r\n]/.test(one)) return one;
    throw wrong(where, path, one, 'one line of text, or a list of such, is expected');
  });
}
