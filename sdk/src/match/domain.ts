import { asciiLower } from './ascii.ts';

/**
 * Envoy VirtualHost.domains: an exact name first, then the longest `*suffix`, then the longest `prefix*`, then `*`.
 * A wildcard stands for at least one character.
 */
export interface DomainIndex<T> {
  readonly exact: ReadonlyMap<string, T>;
  /** Longest first. */
  readonly suffixes: readonly Wildcard<T>[];
  readonly prefixes: readonly Wildcard<T>[];
  readonly any: T | undefined;
}

interface Wildcard<T> {
  readonly text: string;
  readonly value: T;
}

/** The first value wins a domain named twice; Envoy and the decoder refuse such a configuration. */
export function indexDomains<T>(
  entries: readonly { readonly domains: readonly string[]; readonly value: T }[],
): DomainIndex<T> {
  const exact = new Map<string, T>();
  const suffixes = new Map<string, T>();
  const prefixes = new Map<string, T>();
  let any: T | undefined;
  const addOnce = (map: Map<string, T>, key: string, value: T): void => {
    if (!map.has(key)) map.set(key, value);
  };
  for (const { domains, value } of entries) {
    for (const domain of domains.map(asciiLower)) {
      if (domain === '*') any ??= value;
      else if (domain.startsWith('*')) addOnce(suffixes, domain.slice(1), value);
      else if (domain.endsWith('*')) addOnce(prefixes, domain.slice(0, -1), value);
      else addOnce(exact, domain, value);
    }
  }
  return { exact, suffixes: longestFirst(suffixes), prefixes: longestFirst(prefixes), any };
}

const longestFirst = <T>(map: ReadonlyMap<string, T>): readonly Wildcard<T>[] =>
  [...map].map(([text, value]) => ({ text, value })).sort((a, b) => b.text.length - a.text.length);

/** Host names compare without case; the port is part of the name unless the caller took it off. */
export function findDomain<T>(index: DomainIndex<T>, authority: string): T | undefined {
  // A request's authority is lower case already; only when it is not found as it is, the rest is tried.
  const direct = index.exact.get(authority);
  return direct === undefined ? findFolded(index, asciiLower(authority)) : direct;
}

function findFolded<T>(index: DomainIndex<T>, host: string): T | undefined {
  const exact = index.exact.get(host);
  if (exact !== undefined) return exact;
  for (const { text, value } of index.suffixes) {
    if (text.length < host.length && host.endsWith(text)) return value;
  }
  for (const { text, value } of index.prefixes) {
    if (text.length < host.length && host.startsWith(text)) return value;
  }
  return index.any;
}

/** `host` of `host:port` and `[v6]:port` (Envoy HeaderUtility::getPortStart). */
export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon < 0 || authority.lastIndexOf(']') > colon ? authority : authority.slice(0, colon);
}
