import type { StringMatch } from '../model/match.ts';
import { asciiLower, matchesAt } from './ascii.ts';
import { parseRegex, type Regex } from './regex.ts';
import { utf8Bytes } from './utf8.ts';

/** A pattern to its expression; a table shares one cache, so a pattern is compiled once. */
export type RegexSource = (pattern: string) => Regex | string;

/** Compiles each pattern once. */
export function cachedRegexes(): RegexSource {
  const known = new Map<string, Regex | string>();
  return (pattern) => {
    let regex = known.get(pattern);
    if (regex === undefined) {
      regex = parseRegex(pattern);
      known.set(pattern, regex);
    }
    return regex;
  };
}

const never = (): boolean => false;

/** Envoy StringMatcher as a test. A regex that does not compile never matches. */
export function compileString(match: StringMatch, regexes: RegexSource = parseRegex): (text: string) => boolean {
  if (match.kind === 'regex') {
    const regex = regexes(match.value);
    return typeof regex === 'string' ? never : regex.test;
  }
  const value = utf8Bytes(match.value);
  return match.ignoreCase ? ignoringCase(match.kind, asciiLower(value)) : sensitive(match.kind, value);
}

type Plain = Exclude<StringMatch['kind'], 'regex'>;

function sensitive(kind: Plain, value: string): (text: string) => boolean {
  switch (kind) {
    case 'exact':
      return (text) => text === value;
    case 'prefix':
      return (text) => text.startsWith(value);
    case 'suffix':
      return (text) => text.endsWith(value);
    case 'contains':
      return (text) => text.includes(value);
  }
}

function ignoringCase(kind: Plain, lower: string): (text: string) => boolean {
  switch (kind) {
    case 'exact':
      return (text) => text.length === lower.length && matchesAt(text, lower, 0);
    case 'prefix':
      return (text) => matchesAt(text, lower, 0);
    case 'suffix':
      return (text) => matchesAt(text, lower, text.length - lower.length);
    case 'contains':
      return (text) => asciiLower(text).includes(lower);
  }
}

/** `exact "jason"`, for a reader. */
export const describeString = (match: StringMatch): string =>
  `${match.kind} ${JSON.stringify(match.value)}${match.kind !== 'regex' && match.ignoreCase ? ' ignoring case' : ''}`;
