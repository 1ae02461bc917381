import type {
  CookieMatcher,
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch as RouteMatchMessage,
} from '../../../gen/route.js';
import { parseTemplate } from '../../match/template.ts';
import type { CookieMatch, HeaderMatch, PathMatch, QueryParameterMatch, RouteMatch } from '../../model/match.ts';
import { decodeList } from '../lists.ts';
import { peekName } from '../peek-name.ts';
import type { Scope } from '../scope.ts';
import { regexPattern, required, runtimeFraction } from '../values.ts';
import { decodeMetadataMatch } from './metadata-match.ts';
import { decodeStringMatch } from './string-match.ts';

const URI_TEMPLATE = 'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
const NOWHERE: PathMatch = { kind: 'exact', value: '', caseSensitive: true };

/** Envoy config.route.v3.RouteMatch. */
export function decodeRouteMatch(message: RouteMatchMessage, at: Scope): RouteMatch {
  const never = whyNever(message);
  const cookies = decodeList(message.cookies, at.at('cookies'), decodeCookie);
  const metadata = decodeList(message.dynamicMetadata, at.at('dynamic_metadata'), decodeMetadataMatch);
  return {
    path: decodePath(message, at),
    headers: decodeList(message.headers, at.at('headers'), decodeHeaderMatch),
    queryParameters: decodeList(message.queryParameters, at.at('query_parameters'), decodeQuery),
    ...(message.runtimeFraction && { fraction: runtimeFraction(message.runtimeFraction, at.at('runtime_fraction')) }),
    grpc: message.grpc !== undefined,
    ...(cookies.length > 0 && { cookies }),
    ...(metadata.length > 0 && { metadata }),
    ...(never !== undefined && { never }),
  };
}

/** A call begins here: there is no filter state, and nobody who presents a certificate. */
function whyNever({ filterState, tlsContext }: RouteMatchMessage): string | undefined {
  if (filterState.length > 0) return 'filter state, of which there is none';
  if (tlsContext?.presented || tlsContext?.validated) return "the caller's certificate, of which there is none";
  return undefined;
}

function decodeCookie({ name, stringMatch, invertMatch }: CookieMatcher, at: Scope): CookieMatch {
  if (stringMatch === undefined) at.at('string_match').error('missing, a match is required');
  return {
    name: required(name, at.at('name')),
    match: stringMatch
      ? decodeStringMatch(stringMatch, at.at('string_match'))
      : { kind: 'exact', value: '', ignoreCase: false },
    invert: invertMatch,
  };
}

function decodePath(message: RouteMatchMessage, at: Scope): PathMatch {
  const { pathSpecifier } = message;
  const caseSensitive = message.caseSensitive ?? true;
  switch (pathSpecifier.case) {
    case 'prefix':
      return { kind: 'prefix', value: pathSpecifier.value, caseSensitive };
    case 'path':
      return { kind: 'exact', value: pathSpecifier.value, caseSensitive };
    case 'safeRegex':
      // Envoy: case_sensitive does not apply to safe_regex.
      return { kind: 'regex', value: regexPattern(pathSpecifier.value.regex, at.at('safe_regex').at('regex')) };
    case 'pathSeparatedPrefix':
      return separatedPrefix(pathSpecifier.value, caseSensitive, at.at('path_separated_prefix'));
    case 'connectMatcher':
      return { kind: 'connect', value: '' };
    case 'pathMatchPolicy':
      return decodeTemplate(pathSpecifier.value.typedConfig, at.at('path_match_policy').at('typed_config'));
    default:
      at.error('no path, one of prefix, path, safe_regex, path_separated_prefix, path_match_policy is required');
      return NOWHERE;
  }
}

function separatedPrefix(value: string, caseSensitive: boolean, at: Scope): PathMatch {
  // Envoy RouteMatch.path_separated_prefix: pattern ^[^?#]+[^?#/]$.
  if (!/^[^?#]+[^?#/]$/.test(value)) at.error(`"${value}", a path without ?, # and a slash at its end allowed`);
  return { kind: 'path-separated-prefix', value, caseSensitive };
}

/** The one path policy there is, Envoy UriTemplateMatchConfig: field 1 is the template. */
function decodeTemplate(any: { typeUrl: string; value: Uint8Array } | undefined, at: Scope): PathMatch {
  if (any?.typeUrl.endsWith(`/${URI_TEMPLATE}`) !== true) {
    at.error(`type "${any?.typeUrl ?? ''}", ${URI_TEMPLATE} allowed`);
    return NOWHERE;
  }
  const value = peekName(any.value);
  const parsed = parseTemplate(value);
  if (typeof parsed === 'string') at.at('path_template').error(`"${value}": ${parsed}`);
  return { kind: 'template', value };
}

export function decodeHeaderMatch(message: HeaderMatcher, at: Scope): HeaderMatch {
  return {
    name: required(message.name, at.at('name')).toLowerCase(),
    invert: message.invertMatch,
    treatMissingAsEmpty: message.treatMissingHeaderAsEmpty,
    value: decodeHeaderValue(message.headerMatchSpecifier, at),
  };
}

function decodeHeaderValue(specifier: HeaderMatcher['headerMatchSpecifier'], at: Scope): HeaderMatch['value'] {
  const text = (kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string): HeaderMatch['value'] => ({
    kind: 'string',
    match: { kind, value, ignoreCase: false },
  });
  switch (specifier.case) {
    case undefined:
      // Envoy HeaderMatcher: without a specifier presence is matched.
      return { kind: 'present', present: true };
    case 'presentMatch':
      return { kind: 'present', present: specifier.value };
    case 'stringMatch':
      return { kind: 'string', match: decodeStringMatch(specifier.value, at.at('string_match')) };
    case 'safeRegexMatch': {
      const value = regexPattern(specifier.value.regex, at.at('safe_regex_match').at('regex'));
      return { kind: 'string', match: { kind: 'regex', value } };
    }
    case 'rangeMatch':
      return { kind: 'range', start: Number(specifier.value.start), end: Number(specifier.value.end) };
    case 'exactMatch':
      return text('exact', specifier.value);
    case 'prefixMatch':
      return text('prefix', required(specifier.value, at.at('prefix_match')));
    case 'suffixMatch':
      return text('suffix', required(specifier.value, at.at('suffix_match')));
    case 'containsMatch':
      return text('contains', required(specifier.value, at.at('contains_match')));
  }
}

function decodeQuery(message: QueryParameterMatcher, at: Scope): QueryParameterMatch {
  const name = required(message.name, at.at('name'));
  const specifier = message.queryParameterMatchSpecifier;
  if (specifier.case === 'stringMatch') {
    return { name, value: { kind: 'string', match: decodeStringMatch(specifier.value, at.at('string_match')) } };
  }
  return { name, value: { kind: 'present', present: specifier.value ?? true } };
}
