import type { QueryParameterMatch } from '../model/match.ts';
import { compileString, describeString, type RegexSource } from './string.ts';

/** Where the path proper ends: at the query string (Envoy PathUtil::removeQueryAndFragment; a request has no fragment). */
export function pathEnd(path: string): number {
  const question = path.indexOf('?');
  return question < 0 ? path.length : question;
}

/** Whether the path proper ends at `at`. */
export const isPathEnd = (path: string, at: number): boolean =>
  at === path.length || path.charCodeAt(at) === 63 /* ? */;

/**
 * The first value of a query parameter, not decoded; empty for one without `=`; undefined when absent
 * (Envoy QueryParamsMulti::parseQueryString).
 */
export function queryParameter(path: string, name: string): string | undefined {
  let start = path.indexOf('?') + 1;
  if (start === 0) return undefined;
  while (start < path.length) {
    const ampersand = path.indexOf('&', start);
    const end = ampersand < 0 ? path.length : ampersand;
    const equals = path.indexOf('=', start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (nameEnd - start === name.length && path.startsWith(name, start))
      return path.slice(Math.min(nameEnd + 1, end), end);
    start = end + 1;
  }
  return undefined;
}

export interface QueryTest {
  readonly match: QueryParameterMatch;
  readonly test: ((value: string) => boolean) | undefined;
}

export const compileQuery = (match: QueryParameterMatch, regexes?: RegexSource): QueryTest => ({
  match,
  test: match.value.kind === 'string' ? compileString(match.value.match, regexes) : undefined,
});

/** Envoy QueryParameterMatcher. */
export function queryMatches({ match, test }: QueryTest, path: string): boolean {
  const value = queryParameter(path, match.name);
  if (match.value.kind === 'present') return (value !== undefined) === match.value.present;
  return value === undefined || test === undefined ? false : test(value);
}

/** `query parameter v exact "2"`, for a reader. */
export const describeQuery = (match: QueryParameterMatch): string =>
  `query parameter ${match.name} ${describeWanted(match)}`;

export function explainQuery(match: QueryParameterMatch, path: string): string {
  const value = queryParameter(path, match.name);
  return `query parameter ${match.name}: wanted ${describeWanted(match)}, got ${value === undefined ? 'nothing' : JSON.stringify(value)}`;
}

function describeWanted({ value }: QueryParameterMatch): string {
  if (value.kind === 'string') return describeString(value.match);
  return value.present ? 'any value' : 'none';
}
