import type { Random } from '../clock.ts';
import { compileCookie, describeCookie } from '../match/cookie.ts';
import { drawModulo, fractionMatches } from '../match/fraction.ts';
import { compileHeader, explainHeader, type HeaderTest, headerMatches } from '../match/header-match.ts';
import { headerValue } from '../match/headers.ts';
import { compileMetadata, describeMetadata } from '../match/metadata.ts';
import { compilePath, explainPath, type PathTest } from '../match/path.ts';
import { compileQuery, explainQuery, type QueryTest, queryMatches } from '../match/query.ts';
import { parseRegex } from '../match/regex.ts';
import type { RegexSource } from '../match/string.ts';
import type { RouteMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';

/** A RouteMatch ready to be asked. */
export interface RouteTest {
  readonly match: RouteMatch;
  /** Undefined where the index settles it. */
  readonly path: PathTest | undefined;
  readonly headers: readonly HeaderTest[];
  readonly query: readonly QueryTest[];
  /** What few routes ask for: cookies, metadata, CONNECT. */
  readonly others: readonly Condition[] | undefined;
}

interface Condition {
  readonly matches: (request: MeshRequest) => boolean;
  /** What is wanted, for a reader. */
  readonly wanted: string;
}

const NO_HEADERS: readonly HeaderTest[] = [];
const NO_QUERY: readonly QueryTest[] = [];

export const compileMatch = (match: RouteMatch, isIndexed: boolean, regexes: RegexSource): RouteTest => ({
  match,
  path: isIndexed ? undefined : compilePath(match.path, regexes),
  headers: match.headers.length === 0 ? NO_HEADERS : match.headers.map((header) => compileHeader(header, regexes)),
  query:
    match.queryParameters.length === 0
      ? NO_QUERY
      : match.queryParameters.map((parameter) => compileQuery(parameter, regexes)),
  others: otherConditions(match, regexes),
});

function otherConditions(match: RouteMatch, regexes: RegexSource): readonly Condition[] | undefined {
  const { cookies, metadata: wanted, never, path } = match;
  if (cookies === undefined && wanted === undefined && never === undefined && path.kind !== 'connect') return undefined;
  const conditions: Condition[] = (match.cookies ?? []).map((cookie) => {
    const test = compileCookie(cookie, regexes);
    return { matches: (request) => test(request.headers), wanted: describeCookie(cookie) };
  });
  for (const metadata of match.metadata ?? []) {
    const test = compileMetadata(metadata, regexes);
    conditions.push({ matches: (request) => test(request.metadata), wanted: describeMetadata(metadata) });
  }
  if (match.path.kind === 'connect')
    conditions.push({ matches: ({ method }) => method === 'CONNECT', wanted: 'a CONNECT request' });
  if (match.never !== undefined) conditions.push({ matches: () => false, wanted: match.never });
  return conditions.length === 0 ? undefined : conditions;
}

/** All conditions but the path, which an index may have settled, and the fraction, which needs a draw. */
export function conditionsMatch(test: RouteTest, request: MeshRequest): boolean {
  const { headers, query } = test;
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i];
    if (header !== undefined && !headerMatches(header, request)) return false;
  }
  for (let i = 0; i < query.length; i++) {
    const parameter = query[i];
    if (parameter !== undefined && !queryMatches(parameter, request.path)) return false;
  }
  if (test.others !== undefined && unmet(test.others, request) !== undefined) return false;
  return !test.match.grpc || isGrpc(request);
}

const unmet = (conditions: readonly Condition[], request: MeshRequest): Condition | undefined =>
  conditions.find(({ matches }) => !matches(request));

/** Envoy Grpc::Common::hasGrpcContentType: `application/grpc`, alone or before a `+`. */
function isGrpc(request: MeshRequest): boolean {
  const type = headerValue(request.headers, 'content-type');
  if (type === undefined || !type.startsWith(GRPC)) return false;
  return type.length === GRPC.length || type.charCodeAt(GRPC.length) === 43 /* + */;
}

const GRPC = 'application/grpc';

/**
 * `path` is without parameters where they are not to be compared; a template compares them all the same (asked of Envoy
 * 1.40).
 */
export const pathMatches = (test: RouteTest, request: MeshRequest, path: string): boolean =>
  (test.path ?? compilePath(test.match.path, parseRegex))(test.match.path.kind === 'template' ? request.path : path);

/** The first condition that fails, in words; undefined when all hold. */
export function explainMismatch(
  test: RouteTest,
  request: MeshRequest,
  random: Random,
  path: string = request.path,
): string | undefined {
  const { match } = test;
  if (!pathMatches(test, request, path)) return explainPath(match.path, path);
  const header = test.headers.find((candidate) => !headerMatches(candidate, request));
  if (header !== undefined) return explainHeader(header, request);
  const parameter = test.query.find((candidate) => !queryMatches(candidate, request.path));
  if (parameter !== undefined) return explainQuery(parameter.match, request.path);
  if (match.grpc && !isGrpc(request)) {
    return `content type: wanted application/grpc, got ${headerValue(request.headers, 'content-type') ?? 'nothing'}`;
  }
  const other = test.others && unmet(test.others, request);
  if (other !== undefined) return `wanted ${other.wanted}`;
  const { fraction } = match;
  if (fraction === undefined) return undefined;
  const draw = random();
  if (fractionMatches(fraction, draw, request.runtime)) return undefined;
  const key = fraction.runtimeKey === undefined ? '' : ` (runtime key ${fraction.runtimeKey})`;
  return `fraction${key}: wanted a draw below ${fraction.numerator} of ${fraction.denominator}, got ${drawModulo(draw, fraction.denominator)}`;
}
