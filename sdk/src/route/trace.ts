import { describeCookie } from '../match/cookie.ts';
import { describeHeader } from '../match/header-match.ts';
import { describeMetadata } from '../match/metadata.ts';
import { describePath } from '../match/path.ts';
import { describeQuery } from '../match/query.ts';
import type { RouteMatch } from '../model/match.ts';
import type { RouteDecision } from './table.ts';

export interface ConsideredRule {
  /** The route's name and what it asks for. */
  readonly rule: string;
  readonly matched: boolean;
  /** The first condition that failed, in words. */
  readonly failed?: string;
}

/** What a decision looked at, in order; filled by `decide` for explain. */
export interface Trace {
  virtualHost: string | undefined;
  readonly considered: ConsideredRule[];
}

export const createTrace = (): Trace => ({ virtualHost: undefined, considered: [] });

/** Name and conditions of a route, for a reader. */
export const describeRule = ({ routeName, routeIndex }: RouteDecision, match: RouteMatch): string =>
  `${routeName === '' ? `route ${routeIndex}` : routeName}: ${describeMatch(match)}`;

/** A rule for a reader: `path prefix "/api" and header end-user exact "jason"`. */
function describeMatch(match: RouteMatch): string {
  const parts = [
    describePath(match.path),
    ...match.headers.map(describeHeader),
    ...match.queryParameters.map(describeQuery),
    ...(match.cookies ?? []).map(describeCookie),
    ...(match.metadata ?? []).map(describeMetadata),
  ];
  if (match.never !== undefined) parts.push(match.never);
  if (match.grpc) parts.push('gRPC only');
  if (match.fraction !== undefined) parts.push(`${match.fraction.numerator} of ${match.fraction.denominator} requests`);
  return parts.join(' and ');
}
