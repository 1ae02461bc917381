import { HeaderValueOption_HeaderAppendAction, type HeaderValueOptionSchema } from '@inmesh/sdk/internal/gen/core';
import type { HeaderOperations, HeaderRules } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';
import { sortedEntries } from '../sorted.ts';

type HeaderValueOptionInit = Fields<typeof HeaderValueOptionSchema>;

/** Fields that Envoy's Route and WeightedCluster.ClusterWeight share. */
export interface HeaderMutations {
  readonly requestHeadersToAdd: HeaderValueOptionInit[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: HeaderValueOptionInit[];
  readonly responseHeadersToRemove: string[];
}

export interface TranslatedHeaders extends HeaderMutations {
  /** `host` or `:authority` among the request headers: a rewrite, not a header (Istio isAuthorityHeader). */
  readonly authority: string | undefined;
}

/** Istio TranslateHeadersOperations: sets first, then additions, each by name. */
export const headerOperations = (rules: HeaderRules | undefined): TranslatedHeaders => ({
  requestHeadersToAdd: additions(rules?.request),
  requestHeadersToRemove: removals(rules?.request),
  responseHeadersToAdd: additions(rules?.response),
  responseHeadersToRemove: removals(rules?.response),
  authority: authorityOf(rules?.request?.set) ?? authorityOf(rules?.request?.add),
});

/** A single destination's operations come after those of its route (Istio processDestination). */
export const concatHeaders = (first: HeaderMutations, second: HeaderMutations): HeaderMutations => ({
  requestHeadersToAdd: [...first.requestHeadersToAdd, ...second.requestHeadersToAdd],
  requestHeadersToRemove: [...first.requestHeadersToRemove, ...second.requestHeadersToRemove],
  responseHeadersToAdd: [...first.responseHeadersToAdd, ...second.responseHeadersToAdd],
  responseHeadersToRemove: [...first.responseHeadersToRemove, ...second.responseHeadersToRemove],
});

const { APPEND_IF_EXISTS_OR_ADD, OVERWRITE_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction;

const additions = (operations: HeaderOperations | undefined): HeaderValueOptionInit[] => {
  if (operations === undefined) return [];
  return [...options(operations.set, OVERWRITE_IF_EXISTS_OR_ADD), ...options(operations.add, APPEND_IF_EXISTS_OR_ADD)];
};

const options = (
  headers: ReadonlyMap<string, string>,
  appendAction: HeaderValueOption_HeaderAppendAction,
): HeaderValueOptionInit[] =>
  sortedEntries(headers)
    .filter(([key]) => !isInternal(key))
    .map(([key, value]) => ({ header: { key, value }, appendAction }));

const removals = (operations: HeaderOperations | undefined): string[] =>
  (operations?.remove ?? []).filter((key) => !isInternal(key));

/** Envoy refuses to touch these as headers. */
const isInternal = (key: string): boolean => key.startsWith(':') || key.toLowerCase() === 'host';

const authorityOf = (headers: ReadonlyMap<string, string> | undefined): string | undefined => {
  for (const [key, value] of headers ?? []) {
    if ([':authority', 'host'].includes(key.toLowerCase()) && value !== '') return value;
  }
  return undefined;
};
