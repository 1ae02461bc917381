import type { HeaderList } from '../model/headers.ts';
import type { CookieMatch } from '../model/match.ts';
import { headerValues } from './headers.ts';
import { compileString, describeString, type RegexSource } from './string.ts';

/** The first cookie of that name over all `cookie` headers; undefined when there is none (Envoy Utility::forEachCookie). */
export function cookieOf(headers: HeaderList, name: string): string | undefined {
  for (const header of headerValues(headers, 'cookie')) {
    for (const cookie of header.split(';')) {
      const equals = cookie.indexOf('=');
      if (equals >= 0 && cookie.slice(0, equals).replace(/^[\t-\r ]+/, '') === name)
        return unquoted(cookie.slice(equals + 1));
    }
  }
  return undefined;
}

const unquoted = (value: string): string =>
  value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;

/** Envoy CookieMatcher: an absent cookie fits no value, so it is what an inverted match wants. */
export function compileCookie(match: CookieMatch, regexes: RegexSource): (headers: HeaderList) => boolean {
  const test = compileString(match.match, regexes);
  return (headers) => {
    const value = cookieOf(headers, match.name);
    return (value !== undefined && test(value)) !== match.invert;
  };
}

/** `cookie user exact "jason"`, for a reader. */
export const describeCookie = ({ name, match, invert }: CookieMatch): string =>
  `cookie ${name} ${invert ? 'anything but ' : ''}${describeString(match)}`;
