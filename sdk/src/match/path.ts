import type { PathMatch } from '../model/match.ts';
import { asciiLower, matchesAt } from './ascii.ts';
import { pathEnd } from './query.ts';
import type { RegexSource } from './string.ts';
import { parseTemplate } from './template.ts';

/** One path rule. `end` is where the query string begins: what follows is not compared (Envoy PathMatcher). */
export type PathTest = (path: string, end: number) => boolean;

type PlainPath = Extract<PathMatch, { readonly caseSensitive: boolean }>;

const never: PathTest = () => false;

/** Envoy RouteMatch.path_specifier; a pattern that does not compile never matches. */
export function compilePath(match: PathMatch, regexes: RegexSource): PathTest {
  switch (match.kind) {
    case 'regex':
      return patternTest(match.value, regexes);
    case 'template': {
      const template = parseTemplate(match.value);
      return typeof template === 'string' ? never : patternTest(template.pattern, regexes);
    }
    default:
      return plainTest(match);
  }
}

function patternTest(pattern: string, regexes: RegexSource): PathTest {
  const regex = regexes(pattern);
  if (typeof regex === 'string') return never;
  return (path, end) => regex.test(end === path.length ? path : path.slice(0, end));
}

function plainTest({ kind, value, caseSensitive }: PlainPath): PathTest {
  const size = value.length;
  const lower = asciiLower(value);
  const begins = caseSensitive ? (path: string) => path.startsWith(value) : (path: string) => matchesAt(path, lower, 0);
  switch (kind) {
    case 'exact':
      return (path, end) => end === size && begins(path);
    case 'prefix':
      return (path, end) => end >= size && begins(path);
    case 'path-separated-prefix':
      return (path, end) => end >= size && begins(path) && isSegmentEnd(path, end, size);
  }
}

/** Whether a segment of the path ends at `at`. */
export const isSegmentEnd = (path: string, end: number, at: number): boolean =>
  at === end || path.charCodeAt(at) === 47;

/** `path prefix "/api"`, for a reader. */
export const describePath = (match: PathMatch): string => `path ${describeWanted(match)}`;

export const explainPath = (match: PathMatch, path: string): string =>
  `path: wanted ${describeWanted(match)}, got ${JSON.stringify(path.slice(0, pathEnd(path)))}`;

function describeWanted(match: PathMatch): string {
  const folded = 'caseSensitive' in match && !match.caseSensitive ? ' ignoring case' : '';
  return `${match.kind === 'path-separated-prefix' ? 'segment prefix' : match.kind} ${JSON.stringify(match.value)}${folded}`;
}
