import { asciiLower } from './ascii.ts';

/**
 * Envoy VirtualHost.domains: an exact name first, then the longest `*suffix`, then the longest `prefix*`, then `*`.
 * A wildcard stands for at least one character.
 */
export interface DomainIndex<T> {
  readonly exact: ReadonlyMap<string, T>;
  readonly suffixes: Wildcards<T>;
  readonly prefixes: Wildcards<T>;
  readonly any: T | undefined;
}

/** A look-up costs one probe for each length there is, however many names. */
interface Wildcards<T> {
  readonly values: ReadonlyMap<string, T>;
  /** Longest first. */
  readonly lengths: readonly number[];
}

interface DomainEntry<T> {
  readonly domains: readonly string[];
  readonly value: T;
}

/** The first value wins a domain named twice; Envoy and the decoder refuse such a configuration. */
export function indexDomains<T>(entries: readonly DomainEntry<T>[]): DomainIndex<T> {
  const steps = indexDomainsSteps(entries);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const DOMAINS_A_STEP = 128;

/** The same in slices. */
export function* indexDomainsSteps<T>(entries: readonly DomainEntry<T>[]): Generator<undefined, DomainIndex<T>> {
  const exact = new Map<string, T>();
  const suffixes = new Map<string, T>();
  const prefixes = new Map<string, T>();
  let any: T | undefined;
  const addOnce = (map: Map<string, T>, key: string, value: T): void => {
    if (!map.has(key)) map.set(key, value);
  };
  let count = 0;
  for (const { domains, value } of entries) {
    for (const written of domains) {
      if (++count % DOMAINS_A_STEP === 0) yield;
      const domain = asciiLower(written);
      if (domain === '*') any ??= value;
      else if (domain.startsWith('*')) addOnce(suffixes, domain.slice(1), value);
      else if (domain.endsWith('*')) addOnce(prefixes, domain.slice(0, -1), value);
      else addOnce(exact, domain, value);
    }
  }
  return { exact, suffixes: wildcards(suffixes), prefixes: wildcards(prefixes), any };
}

const NO_LENGTHS: readonly number[] = [];

function wildcards<T>(values: ReadonlyMap<string, T>): Wildcards<T> {
  if (values.size === 0) return { values, lengths: NO_LENGTHS };
  const lengths = new Set<number>();
  for (const text of values.keys()) lengths.add(text.length);
  return { values, lengths: [...lengths].sort((a, b) => b - a) };
}

/** Host names compare without case; the port is part of the name unless the caller took it off. */
export function findDomain<T>(index: DomainIndex<T>, authority: string): T | undefined {
  // A request's authority is lower case already; only when it is not found as it is, the rest is tried.
  const direct = index.exact.get(authority);
  return direct === undefined ? findFolded(index, asciiLower(authority)) : direct;
}

function findFolded<T>({ exact, suffixes, prefixes, any }: DomainIndex<T>, host: string): T | undefined {
  const named = exact.get(host);
  if (named !== undefined) return named;
  for (const length of suffixes.lengths) {
    const found = length < host.length ? suffixes.values.get(host.slice(host.length - length)) : undefined;
    if (found !== undefined) return found;
  }
  for (const length of prefixes.lengths) {
    const found = length < host.length ? prefixes.values.get(host.slice(0, length)) : undefined;
    if (found !== undefined) return found;
  }
  return any;
}

/** `host` of `host:port` and `[v6]:port` (Envoy HeaderUtility::getPortStart). */
export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon < 0 || authority.lastIndexOf(']') > colon ? authority : authority.slice(0, colon);
}
