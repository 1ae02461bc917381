import type { RegexMatchAndSubstitute } from '../../../gen/core.js';
import type { RegexRewrite } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { regexPattern } from '../values.ts';

/** Envoy type.matcher.v3.RegexMatchAndSubstitute. */
export function decodeRegexRewrite({ pattern, substitution }: RegexMatchAndSubstitute, at: Scope): RegexRewrite {
  return { pattern: regexPattern(pattern?.regex ?? '', at.at('pattern').at('regex')), substitution };
}
