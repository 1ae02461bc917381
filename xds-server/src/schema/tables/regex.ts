import { parseRegex } from '@inmesh/sdk/internal/match/regex';
import { type Type, textThat } from '../type.ts';

/** What is wrong by the very parser that clients compile it with. */
const wrongRegex = (value: string): string | undefined => {
  // Envoy RegexMatcher.regex: min_len 1.
  if (value === '') return 'it is empty';
  const parsed = parseRegex(value);
  return typeof parsed === 'string' ? parsed : undefined;
};

export const regex: Type<string> = textThat('a regular expression in RE2 syntax', wrongRegex);

/** Of a header or a parameter also `*`: no RE2, but Istio's word for any value (canBeConvertedToPresentMatch). */
export const regexOrAny: Type<string> = textThat('a regular expression in RE2 syntax, or "*" for any value', (value) =>
  value === '*' ? undefined : wrongRegex(value),
);
