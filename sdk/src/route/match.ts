import type { Random } from '../clock.ts';
import { fractionMatches } from '../match/fraction.ts';
import { compileHeader, explainHeader, type HeaderTest, headerMatches } from '../match/header-match.ts';
import { headerValue } from '../match/headers.ts';
import { compilePath, explainPath, type PathTest } from '../match/path.ts';
import { compileQuery, explainQuery, type QueryTest, queryMatches } from '../match/query.ts';
import type { RegexSource } from '../match/string.ts';
import type { RouteMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';

/** A RouteMatch ready to be asked. */
export interface RouteTest {
  readonly match: RouteMatch;
  readonly path: PathTest;
  readonly headers: readonly HeaderTest[];
  readonly query: readonly QueryTest[];
}

export const compileMatch = (match: RouteMatch, regexes: RegexSource): RouteTest => ({
  match,
  path: compilePath(match.path, regexes),
  headers: match.headers.map((header) => compileHeader(header, regexes)),
  query: match.queryParameters.map((parameter) => compileQuery(parameter, regexes)),
});

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
  return !test.match.grpc || isGrpc(request);
}

/** Envoy Grpc::Common::hasGrpcContentType: `application/grpc`, alone or before a `+`. */
function isGrpc(request: MeshRequest): boolean {
  const type = headerValue(request.headers, 'content-type');
  if (type === undefined || !type.startsWith(GRPC)) return false;
  return type.length === GRPC.length || type.charCodeAt(GRPC.length) === 43 /* + */;
}

const GRPC = 'application/grpc';

/** The first condition that fails, in words; undefined when all hold. */
export function explainMismatch(test: RouteTest, request: MeshRequest, random: Random): string | undefined {
  const { match } = test;
  if (!test.path(request.path)) return explainPath(match.path, request.path);
  const header = test.headers.find((candidate) => !headerMatches(candidate, request));
  if (header !== undefined) return explainHeader(header, request);
  const parameter = test.query.find((candidate) => !queryMatches(candidate, request.path));
  if (parameter !== undefined) return explainQuery(parameter.match, request.path);
  if (match.grpc && !isGrpc(request)) {
    return `content type: wanted application/grpc, got ${headerValue(request.headers, 'content-type') ?? 'nothing'}`;
  }
  const { fraction } = match;
  if (fraction === undefined) return undefined;
  const draw = random();
  if (fractionMatches(fraction, draw)) return undefined;
  return `fraction: wanted a draw below ${fraction.numerator} of ${fraction.denominator}, got ${draw % fraction.denominator}`;
}
