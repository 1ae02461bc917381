import type { HttpMatch, StringMatch } from '../../schema/spec/virtual-service.ts';

/** A match of a delegate's route with the root's, or of one of them alone; `own` is its place in the delegate's list. */
export interface MergedMatch {
  readonly match: HttpMatch;
  /** undefined: the delegate's route has no match of its own. */
  readonly own: number | undefined;
}

/**
 * Both must hold. Each match of the delegate needs one of the root's that covers it; undefined where one has none, and
 * then the route as a whole is left out (Istio mergeHTTPMatchRequests).
 */
export const mergeMatches = (
  root: readonly HttpMatch[],
  delegate: readonly HttpMatch[],
): readonly MergedMatch[] | undefined => {
  if (root.length === 0) return delegate.map((match, own) => ({ match, own }));
  if (delegate.length === 0) return root.map((match) => ({ match, own: undefined }));
  const merged: MergedMatch[] = [];
  for (const [own, leaf] of delegate.entries()) {
    const covering = root.filter((one) => covers(one, leaf));
    if (covering.length === 0) return undefined;
    for (const one of covering) merged.push({ match: mergeMatch(one, leaf), own });
  }
  return merged;
};

const mergeMatch = (root: HttpMatch, leaf: HttpMatch): HttpMatch => {
  const name = joinNames(root.name, leaf.name);
  return {
    ...root,
    ...leaf,
    ...(name === undefined ? {} : { name }),
    headers: new Map([...root.headers, ...leaf.headers]),
    withoutHeaders: new Map([...root.withoutHeaders, ...leaf.withoutHeaders]),
    queryParams: new Map([...root.queryParams, ...leaf.queryParams]),
    sourceLabels: new Map([...root.sourceLabels, ...leaf.sourceLabels]),
    gateways: leaf.gateways.length > 0 ? leaf.gateways : root.gateways,
  };
};

/** `root-delegate` where both have a name. */
export const joinNames = (root: string | undefined, own: string | undefined): string | undefined =>
  root && own ? `${root}-${own}` : own || root;

/** Whether everything that `leaf` says lies within what `root` says (Istio hasConflict, the other way round). */
const covers = (root: HttpMatch, leaf: HttpMatch): boolean => {
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    if (!coversText(root[field], leaf[field])) return false;
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, match] of leaf[field]) if (!coversText(root[field].get(name), match)) return false;
  }
  if (root.ignoreUriCase !== leaf.ignoreUriCase) return false;
  if (root.port !== undefined && leaf.port !== undefined && root.port !== leaf.port) return false;
  if (root.sourceNamespace && root.sourceNamespace !== leaf.sourceNamespace) return false;
  for (const [name, value] of leaf.sourceLabels) if ((root.sourceLabels.get(name) ?? value) !== value) return false;
  return root.gateways.length === 0 || leaf.gateways.every((gateway) => root.gateways.includes(gateway));
};

/** Regular expressions cannot be compared, so two conditions of which one is a regex never go together. */
const coversText = (root: StringMatch | undefined, leaf: StringMatch | undefined): boolean => {
  if (root === undefined || leaf === undefined) return true;
  if (root.regex || leaf.regex) return false;
  if (root.exact) return !leaf.prefix && leaf.exact === root.exact;
  if (root.prefix) return (leaf.prefix || leaf.exact || '').startsWith(root.prefix);
  return false;
};
