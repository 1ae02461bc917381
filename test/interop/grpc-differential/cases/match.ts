import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { REST, to } from './pieces.ts';

/** One route to `a`, the rest to `b`. */
export const only = (match: JsonObject): readonly JsonObject[] => [to('a', match), REST];

export const paths = (...list: readonly string[]): readonly Ask[] => list.map((path) => ({ path }));

export const match = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `match-${name}`,
  area: 'matching',
  ...given,
});

/** Matching that meshFetch has in common. */
export const both = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase =>
  match(name, { fetch: true, ...given });
