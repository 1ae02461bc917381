import type { HeaderMatcher, RouteMatch } from '@inmesh/sdk/internal/gen/route';
import { type Condition, groupedRegex, grpcCondition } from './header-conditions.ts';

/** A route with more than this many ways to be met is left out. */
const MOST_WAYS = 16;

export interface ShapedMatch {
  /** Any one of these is the match; none: no call of a gRPC client meets it. */
  readonly matches: readonly RouteMatch[];
  /** Why there are none. */
  readonly reason?: string;
}

const never = (reason: string): ShapedMatch => ({ matches: [], reason });

/** A match in words that every gRPC client reads the same way; `authorities` are those of the virtual host. */
export const grpcMatch = (match: RouteMatch, authorities: readonly string[]): ShapedMatch => {
  // Go, C-core and Java skip such a route, grpc-js would follow it as if it asked for nothing.
  if (match.queryParameters.length > 0) return never('a gRPC call has no query parameters');
  let ways: readonly (readonly HeaderMatcher[])[] = [[]];
  for (const header of match.headers) {
    const condition = grpcCondition(header, authorities);
    if (condition === 'never') return never(whyNever(header));
    if (condition === 'always') continue;
    ways = combined(ways, condition);
    if (ways.length > MOST_WAYS) return never('more headers in withoutHeaders than gRPC clients can be asked for (4)');
  }
  return { matches: pathsOf(match).flatMap((path) => ways.map((headers) => ({ ...path, headers: [...headers] }))) };
};

const whyNever = ({ name }: HeaderMatcher): string => {
  if (name.endsWith('-bin')) return `${name}: binary metadata are not matched`;
  if (name === ':authority') return ':authority: not every name of this service meets it';
  return `${name}: no gRPC call meets it`;
};

const combined = (
  ways: readonly (readonly HeaderMatcher[])[],
  condition: Exclude<Condition, string>,
): readonly (readonly HeaderMatcher[])[] => ways.flatMap((way) => condition.map((one) => [...way, one]));

/** path_separated_prefix is refused by all of them: `/a` and what begins with `/a/` is the same. */
const pathsOf = (match: RouteMatch): readonly RouteMatch[] => {
  const path = match.pathSpecifier;
  switch (path.case) {
    case 'safeRegex':
      return [{ ...match, pathSpecifier: { case: 'safeRegex', value: groupedRegex(path.value) } }];
    case 'pathSeparatedPrefix':
      return [
        { ...match, pathSpecifier: { case: 'path', value: path.value } },
        { ...match, pathSpecifier: { case: 'prefix', value: `${path.value}/` } },
      ];
    default:
      return [match];
  }
};
