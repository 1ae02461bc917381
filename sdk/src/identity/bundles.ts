import { X509Certificate } from 'node:crypto';
import type { TrustBundles } from './identity.ts';
import { type RevocationList, readRevocationLists } from './revocation.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** The PEM blocks of a text that bear one of these labels, each by itself; what stands between them is passed over. */
export const pemBlocks = (text: string, ...labels: readonly string[]): string[] =>
  [...text.matchAll(BLOCK)].filter(([, label = '']) => labels.includes(label)).map(([block]) => block);

/** The certificates of a PEM text. Throws where one of them is none. */
export const certificatesOf = (pem: string): X509Certificate[] =>
  pemBlocks(pem, 'CERTIFICATE', 'TRUSTED CERTIFICATE').map((block) => new X509Certificate(block));

/** Bundles of these trust domains; their names are put in lower case, roots given under several spellings together. */
export function createBundles(
  roots: Iterable<readonly [trustDomain: string, pems: readonly string[]]>,
  revoked: readonly string[] = [],
): TrustBundles {
  const byTrustDomain = new Map<string, readonly string[]>();
  for (const [name, pems] of roots) {
    const trustDomain = name.toLowerCase();
    const blocks = pems.flatMap((pem) => pemBlocks(pem, 'CERTIFICATE', 'TRUSTED CERTIFICATE'));
    // A trust domain without a root vouches for nobody, and is none.
    if (blocks.length === 0) continue;
    byTrustDomain.set(trustDomain, [...new Set([...(byTrustDomain.get(trustDomain) ?? []), ...blocks])]);
  }
  return {
    of: (trustDomain) => byTrustDomain.get(trustDomain),
    trustDomains: [...byTrustDomain.keys()],
    revoked: revoked.flatMap((pem) => pemBlocks(pem, 'X509 CRL')),
  };
}

/** Both: where both know a trust domain, the roots of both. */
export const mergeBundles = (one: TrustBundles, other: TrustBundles): TrustBundles =>
  createBundles(
    [one, other].flatMap((bundles) => bundles.trustDomains.map((name) => [name, bundles.of(name) ?? []] as const)),
    [...new Set([...one.revoked, ...other.revoked])],
  );

/** Bundles as verification needs them: read once. */
export interface ReadBundles {
  roots(trustDomain: string): readonly X509Certificate[] | undefined;
  readonly revocation: readonly RevocationList[];
  /** Roots and lists that could not be read, and so do not count. */
  readonly faults: readonly string[];
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
  const faults: string[] = [];
  const roots = new Map<string, X509Certificate[]>();
  for (const trustDomain of bundles.trustDomains) {
    const certificates: X509Certificate[] = [];
    for (const pem of bundles.of(trustDomain) ?? []) {
      try {
        certificates.push(new X509Certificate(pem));
      } catch (error) {
        faults.push(`a root of ${trustDomain}: ${error instanceof Error ? error.message : error}`);
      }
    }
    roots.set(trustDomain, certificates);
  }
  const lists = readRevocationLists(bundles.revoked);
  return {
    roots: (trustDomain) => roots.get(trustDomain),
    revocation: lists.lists,
    faults: [...faults, ...lists.faults],
  };
}
