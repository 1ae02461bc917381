import type { PathMatch } from '../model/match.ts';
import { asciiLower, matchesAt } from './ascii.ts';
import { isPathEnd, pathEnd } from './query.ts';
import type { RegexSource } from './string.ts';
import { parseTemplate } from './template.ts';
import { utf8Bytes } from './utf8.ts';

/** One path rule. The query string is not compared (Envoy PathMatcher). */
export type PathTest = (path: string) => boolean;

type PlainPath = Extract<PathMatch, { readonly caseSensitive: boolean }>;

const always: PathTest = () => true;
const never: PathTest = () => false;

/** Envoy RouteMatch.path_specifier; a pattern that does not compile never matches. */
export function compilePath(match: PathMatch, regexes: RegexSource): PathTest {
  switch (match.kind) {
    case 'regex':
      return patternTest(match.value, regexes);
    case 'connect':
      return always;
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
  return (path) => regex.test(path.slice(0, pathEnd(path)));
}

function plainTest({ kind, value: text, caseSensitive }: PlainPath): PathTest {
  const value = utf8Bytes(text);
  const size = value.length;
  const lower = asciiLower(value);
  const begins = caseSensitive ? (path: string) => path.startsWith(value) : (path: string) => matchesAt(path, lower, 0);
  switch (kind) {
    case 'exact':
      return (path) => begins(path) && isPathEnd(path, size);
    case 'prefix':
      return (path) => begins(path) && pathEnd(path) >= size;
    case 'path-separated-prefix':
      return (path) => begins(path) && pathEnd(path) >= size && isSegmentEnd(path, size);
  }
}

/** Whether a segment of the path ends at `at`. */
export const isSegmentEnd = (path: string, at: number): boolean =>
  isPathEnd(path, at) || path.charCodeAt(at) === 47 /* / */;

/** `path prefix "/api"`, for a reader. */
export const describePath = (match: PathMatch): string => `path ${describeWanted(match)}`;

export const explainPath = (match: PathMatch, path: string): string =>
  `path: wanted ${describeWanted(match)}, got ${JSON.stringify(path.slice(0, pathEnd(path)))}`;

function describeWanted(match: PathMatch): string {
  if (match.kind === 'connect') return 'of a CONNECT request';
  const folded = 'caseSensitive' in match && !match.caseSensitive ? ' ignoring case' : '';
  return `${match.kind === 'path-separated-prefix' ? 'segment prefix' : match.kind} ${JSON.stringify(match.value)}${folded}`;
}
