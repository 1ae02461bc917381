import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@inmesh/sdk/internal/gen/route';
import type { HttpMatch, StringMatch } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';
import { sortedEntries } from '../sorted.ts';
import { isPresenceMatch, stringMatcher } from './string-match.ts';

export type RouteMatchInit = Fields<typeof RouteMatchSchema>;
type HeaderMatcherInit = Fields<typeof HeaderMatcherSchema>;
type QueryParameterInit = Fields<typeof QueryParameterMatcherSchema>;

type PathSpecifier = NonNullable<RouteMatchInit['pathSpecifier']>;

/** Matches every path. */
const ANY_PATH: PathSpecifier = { case: 'prefix', value: '/' };

/** HTTPMatchRequest → RouteMatch (Istio TranslateRouteMatch); no match at all is everything. */
export const routeMatch = (match: HttpMatch | undefined): RouteMatchInit => {
  if (match === undefined) return { pathSpecifier: ANY_PATH };
  return {
    pathSpecifier: pathSpecifier(match.uri),
    caseSensitive: !match.ignoreUriCase,
    headers: headerMatchers(match),
    queryParameters: sortedEntries(match.queryParams).map(([name, value]) => queryParameter(name, value)),
  };
};

/** A prefix is plain text: `/api` matches `/apix` (unlike Gateway API's). The request's query is not part of the path. */
const pathSpecifier = (uri: StringMatch | undefined): PathSpecifier => {
  if (uri?.exact !== undefined) return { case: 'path', value: uri.exact };
  if (uri?.prefix !== undefined) return { case: 'prefix', value: uri.prefix };
  if (uri?.regex !== undefined) return { case: 'safeRegex', value: { regex: uri.regex } };
  return ANY_PATH;
};

/** Headers and withoutHeaders by name, then the pseudo-headers in Istio's order. */
const headerMatchers = (match: HttpMatch): HeaderMatcherInit[] => {
  const named = [
    ...sortedEntries(match.headers).map(([name, value]) => headerMatcher(name, value)),
    ...sortedEntries(match.withoutHeaders).map(([name, value]) => withoutHeader(name, value)),
  ];
  const pseudo = [
    [':method', match.method],
    [':authority', match.authority],
    [':scheme', match.scheme],
  ] as const;
  for (const [name, value] of pseudo) if (value !== undefined) named.push(headerMatcher(name, value));
  return named;
};

const headerMatcher = (name: string, match: StringMatch): HeaderMatcherInit => ({
  name: name.toLowerCase(),
  headerMatchSpecifier: isPresenceMatch(match)
    ? { case: 'presentMatch', value: true }
    : { case: 'stringMatch', value: stringMatcher(match) },
});

/** A missing header is "without" it: inverted, with absence read as the empty string (Envoy allows no such flag beside present_match). */
const withoutHeader = (name: string, match: StringMatch): HeaderMatcherInit => ({
  ...headerMatcher(name, match),
  invertMatch: true,
  treatMissingHeaderAsEmpty: !isPresenceMatch(match),
});

const queryParameter = (name: string, match: StringMatch): QueryParameterInit => ({
  name,
  queryParameterMatchSpecifier: isPresenceMatch(match)
    ? { case: 'presentMatch', value: true }
    : { case: 'stringMatch', value: stringMatcher(match) },
});

/** Nothing after such a route can be reached (Istio IsCatchAllRoute). */
export const isCatchAll = (match: RouteMatchInit): boolean => {
  const path = match.pathSpecifier;
  const anyPath =
    (path?.case === 'prefix' && path.value === '/') || (path?.case === 'safeRegex' && path.value.regex === '.*');
  return anyPath && (match.headers ?? []).length === 0 && (match.queryParameters ?? []).length === 0;
};
