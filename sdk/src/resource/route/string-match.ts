import type { StringMatcher } from '../../../gen/core.js';
import type { StringMatch } from '../../model/match.ts';
import type { Scope } from '../scope.ts';
import { regexPattern, required } from '../values.ts';

/** Envoy type.matcher.v3.StringMatcher. */
export function decodeStringMatch(message: StringMatcher, at: Scope): StringMatch {
  const { matchPattern, ignoreCase } = message;
  switch (matchPattern.case) {
    case 'exact':
      return { kind: 'exact', value: matchPattern.value, ignoreCase };
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: matchPattern.case, value: required(matchPattern.value, at.at(matchPattern.case)), ignoreCase };
    case 'safeRegex':
      // Envoy: ignore_case has no effect on safe_regex.
      return { kind: 'regex', value: regexPattern(matchPattern.value.regex, at.at('safe_regex').at('regex')) };
    default:
      at.error(`${matchPattern.case ?? 'no pattern'}, exact, prefix, suffix, contains or safe_regex allowed`);
      return { kind: 'exact', value: '', ignoreCase };
  }
}
