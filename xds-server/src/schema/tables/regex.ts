import { parseRegex } from '@inmesh/sdk/internal/match/regex';
import { type Type, textThat } from '../type.ts';

/** RE2, checked by the very parser that clients compile it with. */
export const regex: Type<string> = textThat('a regular expression in RE2 syntax', (value) => {
  // Envoy RegexMatcher.regex: min_len 1.
  if (value === '') return 'it is empty';
  const parsed = parseRegex(value);
  return typeof parsed === 'string' ? parsed : undefined;
});
