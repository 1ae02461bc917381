import type { TrustBundles } from './identity.ts';

/** Roots as the control plane tells them (`ROOTCA`). */
export interface MeshRoots {
  /** Of this process's own trust domain; empty where `byTrustDomain` says it all. */
  readonly own: readonly string[];
  readonly byTrustDomain: ReadonlyMap<string, readonly string[]>;
  readonly revoked: readonly string[];
}

/** The roots of a CA's last answer: it is the trust domain's one authority. */
export const singleBundle = (trustDomain: string, roots: readonly string[]): TrustBundles =>
  bundlesOf(new Map([[trustDomain, roots]]), []);

export const bundlesOf = (
  roots: ReadonlyMap<string, readonly string[]>,
  revoked: readonly string[],
): TrustBundles => ({
  of: (trustDomain) => roots.get(trustDomain),
  trustDomains: [...roots.keys()],
  revoked,
});

export interface MergeRules {
  readonly trustDomains: readonly string[];
  /** The source's roots are all there are of the trust domains it names. */
  readonly isWhole: boolean;
}

/** The source's bundles and the control plane's. A trust domain that counts as our own has our roots, unless it has its own. */
export function mergeBundles(source: TrustBundles, mesh: MeshRoots | undefined, rules: MergeRules): TrustBundles {
  const [own = '', ...aliases] = rules.trustDomains;
  const roots = new Map<string, readonly string[]>();
  for (const name of source.trustDomains) roots.set(name, source.of(name) ?? []);
  const told = new Map(mesh?.byTrustDomain);
  if (mesh !== undefined && mesh.own.length > 0) told.set(own, [...(told.get(own) ?? []), ...mesh.own]);
  for (const [name, more] of told) {
    const known = roots.get(name);
    if (known === undefined) roots.set(name, [...new Set(more)]);
    else if (!rules.isWhole) roots.set(name, [...new Set([...known, ...more])]);
  }
  const ours = roots.get(own);
  for (const alias of aliases) if (ours !== undefined && !roots.has(alias)) roots.set(alias, ours);
  return bundlesOf(roots, [...new Set([...source.revoked, ...(mesh?.revoked ?? [])])]);
}

/** Two bundles that say the same. */
export const sameBundles = (one: TrustBundles, other: TrustBundles): boolean => textOf(one) === textOf(other);

const textOf = (bundles: TrustBundles): string =>
  JSON.stringify([bundles.trustDomains.map((name) => [name, bundles.of(name)]), bundles.revoked]);
