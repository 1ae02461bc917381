import { readFileSync } from 'node:fs';
import type { Secret } from '../model/secret.ts';
import { createBundles, mergeBundles, pemBlocks } from './bundles.ts';
import type { TrustBundles } from './identity.ts';

/** Roots as a secret tells them (`ROOTCA`), by trust domain, or for whoever the reader is. */
export interface MeshRoots {
  /** PEM of this process's own trust domain; empty where `byTrustDomain` says it all. */
  readonly own: string;
  readonly byTrustDomain: ReadonlyMap<string, string>;
  /** PEM revocation lists. */
  readonly revoked: string;
}

/** What a secret of roots holds, or why it is none that can be used. */
export function meshRootsOf(secret: Secret): MeshRoots | string {
  if (secret.kind !== 'roots') return 'it is no validation context';
  const { roots, crl } = secret;
  try {
    const revoked = crl === undefined ? '' : crl.kind === 'inline' ? crl.pem : readFileSync(crl.path, 'utf8');
    const fault = listFault(revoked);
    if (fault !== undefined) return fault;
    switch (roots.kind) {
      case 'bundles':
        return { own: '', byTrustDomain: roots.bundles, revoked };
      case 'inline':
        return { own: roots.pem, byTrustDomain: new Map(), revoked };
      case 'file':
        return { own: readFileSync(roots.path, 'utf8'), byTrustDomain: new Map(), revoked };
      case 'system':
        // They vouch for host names; nobody's workload identity follows from them.
        return "it names the platform's roots, which vouch for no trust domain";
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Looked at before it counts: whoever goes by a list that cannot be read can take nobody. OpenSSL reads it without a library's help. */
function listFault(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  const lists = pemBlocks(text, 'X509 CRL');
  if (lists.length === 0) return 'its revocation list holds no PEM X509 CRL';
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  try {
    // `ca`, or Node would read its own roots.
    for (const crl of lists) createSecureContext({ crl, ca: [] });
    return undefined;
  } catch (error) {
    return `its revocation list cannot be read: ${error instanceof Error ? error.message : error}`;
  }
}

export const bundlesOfRoots = ({ own, byTrustDomain, revoked }: MeshRoots, trustDomain: string): TrustBundles =>
  createBundles([[trustDomain, [own]], ...[...byTrustDomain].map(([name, pem]) => [name, [pem]] as const)], [revoked]);

export interface JoinRules {
  /** Our own trust domain first, then those that count as the same. */
  readonly trustDomains: readonly string[];
  /** The source's roots are all there are of the trust domains it names. */
  readonly isWhole: boolean;
}

/** The source's bundles and the control plane's. A trust domain that counts as our own has our roots, unless it has its own. */
export function joinBundles(source: TrustBundles, roots: MeshRoots | undefined, rules: JoinRules): TrustBundles {
  const [own = '', ...aliases] = rules.trustDomains;
  let joined = source;
  if (roots !== undefined) {
    const told = bundlesOfRoots(roots, own);
    const news = told.trustDomains.filter((name) => !rules.isWhole || source.of(name) === undefined);
    joined = mergeBundles(
      source,
      createBundles(
        news.map((name) => [name, told.of(name) ?? []]),
        told.revoked,
      ),
    );
  }
  const ours = joined.of(own);
  const missing = aliases.filter((alias) => joined.of(alias) === undefined);
  if (ours === undefined || missing.length === 0) return joined;
  return mergeBundles(joined, createBundles(missing.map((alias) => [alias, ours])));
}

/** Two bundles that say the same. */
export const isSameBundles = (one: TrustBundles, other: TrustBundles): boolean => textOf(one) === textOf(other);

const textOf = (bundles: TrustBundles): string =>
  JSON.stringify([bundles.trustDomains.map((name) => [name, bundles.of(name)]), bundles.revoked]);
