import { MeshError } from '../errors.ts';
import type { Question } from '../explain/explain.ts';
import type { ExplainOptions } from '../options.ts';
import { authorityOf, dialledOf } from './dialled.ts';
import { flatten, readHeaders, takeConnectionHeaders } from './request-headers.ts';

/** A request to be explained, read as one to be sent. Throws MESH_CONFIG_INVALID when there is no such request. */
export function questionOf({ method = 'GET', url, headers, random = 0 }: ExplainOptions): Question {
  const parsed = URL.parse(String(url));
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new MeshError('MESH_CONFIG_INVALID', `"${url}" is no http, https or tcp URL`);
  }
  if (!Number.isInteger(random) || random < 0 || random > 0xffff_ffff) {
    throw new MeshError('MESH_CONFIG_INVALID', `random is ${random}: an integer from 0 to 4294967295 is wanted`);
  }
  const list = isPairs(headers)
    ? flatten(new Headers(headers.map(([name, value]) => [name, value])))
    : readHeaders(headers);
  const { host } = takeConnectionHeaders(list);
  const { scheme, authority, path, target } = dialledOf(parsed);
  const request = {
    method: method.toUpperCase(),
    scheme,
    authority: host === undefined ? authority : authorityOf(host),
    path,
    headers: list,
  };
  return { target, url: parsed.href, request, random };
}

const isPairs = (headers: ExplainOptions['headers']): headers is readonly (readonly [string, string])[] =>
  Array.isArray(headers);
