import type { TrustBundles } from './identity.ts';

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';

/**
 * The PEM blocks of a text that bear one of these labels, each by itself; what stands between them is passed over. A block
 * goes to the next end there is, so that a text of beginnings alone is read once.
 */
export function pemBlocks(text: string, ...labels: readonly string[]): string[] {
  const blocks: string[] = [];
  let at = text.indexOf(BEGIN);
  while (at >= 0) {
    const end = text.indexOf(END, at);
    const close = end < 0 ? -1 : text.indexOf(DASHES, end + END.length);
    if (close < 0) break;
    const label = text.slice(end + END.length, close);
    if (labels.includes(label) && text.startsWith(`${label}${DASHES}`, at + BEGIN.length))
      blocks.push(text.slice(at, close + DASHES.length));
    at = text.indexOf(BEGIN, close);
  }
  return blocks;
}

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
    revoked: revoked.flatMap(listsIn),
  };
}

/** What holds no list although there is something stays, to be found unreadable: it must not read as "nobody was revoked". */
function listsIn(text: string): readonly string[] {
  const lists = pemBlocks(text, 'X509 CRL');
  return lists.length > 0 || text.trim() === '' ? lists : [text];
}

/** Both: where both know a trust domain, the roots of both. */
export const mergeBundles = (one: TrustBundles, other: TrustBundles): TrustBundles =>
  createBundles(
    [one, other].flatMap((bundles) => bundles.trustDomains.map((name) => [name, bundles.of(name) ?? []] as const)),
    [...new Set([...one.revoked, ...other.revoked])],
  );
