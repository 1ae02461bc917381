import { create } from '@bufbuild/protobuf';
import { type RegexMatcher, RegexMatcherSchema, type StringMatcher } from '@inmesh/sdk/internal/gen/core';
import { type HeaderMatcher, HeaderMatcherSchema } from '@inmesh/sdk/internal/gen/route';
import { parseRegex } from '@inmesh/sdk/internal/match/regex';

/** One condition on a header, as gRPC clients can ask it. */
export type Condition =
  /** It holds whatever the call. */
  | 'always'
  /** No call of a gRPC client meets it. */
  | 'never'
  /** Any one of these. */
  | readonly HeaderMatcher[];

/** Pseudo-headers are not matched on gRPC clients: they read as absent. What is the same for every call is decided here. */
const FIXED: ReadonlyMap<string, string> = new Map([
  [':method', 'POST'],
  // An application that is part of a mesh calls in clear text, whatever the mesh makes of it.
  [':scheme', 'http'],
]);

/**
 * - A header that is missing never meets a string match, inverted or not, and nobody reads treat_missing_header_as_empty:
 *   "without" is two questions, of which grpc-js would answer the second for both.
 * - Binary metadata count as absent.
 * - grpc-js anchors a regular expression at its outer alternatives: they are put in a group.
 */
export const grpcCondition = (matcher: HeaderMatcher, authorities: readonly string[]): Condition => {
  const { name, invertMatch, headerMatchSpecifier: specifier } = matcher;
  const values = name === ':authority' ? authorities : FIXED.get(name);
  if (values !== undefined) return decided(matcher, typeof values === 'string' ? [values] : values);
  if (name.endsWith('-bin')) return isMet(matcher, undefined) ? 'always' : 'never';
  if (specifier.case !== 'stringMatch') return [matcher];
  const grouped: HeaderMatcher = {
    ...matcher,
    treatMissingHeaderAsEmpty: false,
    headerMatchSpecifier: { case: 'stringMatch', value: groupedMatcher(specifier.value) },
  };
  return invertMatch && isMet(matcher, undefined) ? [absent(name), grouped] : [grouped];
};

const absent = (name: string): HeaderMatcher =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: { case: 'presentMatch', value: true },
    invertMatch: true,
  });

/** Where the authorities of one virtual host disagree nobody can say which of them a call will have. */
const decided = (matcher: HeaderMatcher, values: readonly string[]): Condition =>
  values.every((value) => isMet(matcher, value)) ? 'always' : 'never';

/** Envoy HeaderUtility::matchHeaders, for the matchers that are made here. */
const isMet = (matcher: HeaderMatcher, value: string | undefined): boolean => {
  const { headerMatchSpecifier: specifier, invertMatch, treatMissingHeaderAsEmpty } = matcher;
  if (specifier.case === 'presentMatch') return (value !== undefined) !== invertMatch;
  if (specifier.case !== 'stringMatch' || (value === undefined && !treatMissingHeaderAsEmpty)) return false;
  return textMatches(specifier.value, value ?? '') !== invertMatch;
};

const textMatches = ({ matchPattern }: StringMatcher, text: string): boolean => {
  switch (matchPattern.case) {
    case 'exact':
      return text === matchPattern.value;
    case 'prefix':
      return text.startsWith(matchPattern.value);
    case 'safeRegex': {
      const regex = parseRegex(matchPattern.value.regex);
      return typeof regex !== 'string' && regex.test(text);
    }
    default:
      return false;
  }
};

const groupedMatcher = (matcher: StringMatcher): StringMatcher =>
  matcher.matchPattern.case === 'safeRegex'
    ? { ...matcher, matchPattern: { case: 'safeRegex', value: groupedRegex(matcher.matchPattern.value) } }
    : matcher;

/** The same expression to whoever matches the whole text. */
export const groupedRegex = (matcher: RegexMatcher): RegexMatcher =>
  matcher.regex.includes('|') ? create(RegexMatcherSchema, { regex: `(?:${matcher.regex})` }) : matcher;
