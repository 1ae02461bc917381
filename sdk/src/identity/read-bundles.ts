import { X509Certificate } from 'node:crypto';
import type { TrustBundles } from './identity.ts';
import { type RevocationList, readRevocationLists } from './revocation.ts';

/** Bundles as verification needs them: read once. */
export interface ReadBundles {
  roots(trustDomain: string): readonly X509Certificate[] | undefined;
  readonly revocation: readonly RevocationList[];
  /** Why it cannot be told who was revoked: nobody is taken then, for the list may name anybody. */
  readonly unreadable: string | undefined;
}

const read = new WeakMap<TrustBundles, ReadBundles>();

export function readBundles(bundles: TrustBundles): ReadBundles {
  let result = read.get(bundles);
  if (result === undefined) {
    result = readAll(bundles);
    read.set(bundles, result);
  }
  return result;
}

function readAll(bundles: TrustBundles): ReadBundles {
  const roots = new Map<string, X509Certificate[]>();
  for (const trustDomain of bundles.trustDomains) {
    const certificates: X509Certificate[] = [];
    for (const pem of bundles.of(trustDomain) ?? []) {
      try {
        certificates.push(new X509Certificate(pem));
      } catch {
        // A root that cannot be read vouches for nobody.
      }
    }
    roots.set(trustDomain, certificates);
  }
  const lists = readRevocationLists(bundles.revoked);
  return {
    roots: (trustDomain) => roots.get(trustDomain),
    revocation: lists.lists,
    unreadable: lists.faults[0],
  };
}
