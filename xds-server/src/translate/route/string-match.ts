import type { StringMatcherSchema } from '@inmesh/sdk/internal/gen/core';
import type { StringMatch } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';

export type StringMatcherInit = Fields<typeof StringMatcherSchema>;

/**
 * A match that only asks whether the header or parameter is there: `{}`, and the regex `*`, which is no RE2 but means
 * "any" in Istio (canBeConvertedToPresentMatch).
 */
export const isPresenceMatch = (match: StringMatch): boolean =>
  match.regex === '*' || (match.exact === undefined && match.prefix === undefined && match.regex === undefined);

export const stringMatcher = (match: StringMatch): StringMatcherInit => {
  if (match.exact !== undefined) return { matchPattern: { case: 'exact', value: match.exact } };
  if (match.prefix !== undefined) return { matchPattern: { case: 'prefix', value: match.prefix } };
  return { matchPattern: { case: 'safeRegex', value: { regex: match.regex ?? '' } } };
};
