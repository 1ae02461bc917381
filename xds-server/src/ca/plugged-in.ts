import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '@inmesh/sdk/internal/identity/certificate';
import { certificateOf, keyOf, oneLine, pemOf, required, subjectOf } from './authority-state.ts';
import { keyFault } from './csr-policy.ts';
import type { Issuer } from './issuer.ts';
import { certificateBlocks } from './pem.ts';
import { ENTRY, type Entries } from './store.ts';

export interface PluggedIn {
  readonly issuer: Issuer;
  /** PEM, all of root-cert.pem; the one above the issuer first. */
  readonly roots: readonly string[];
}

/**
 * Istio's plugged-in CA: the issuer (ca-cert.pem, ca-key.pem), what leads from it to a root (cert-chain.pem, with or without its
 * ends) and the roots. Throws what is wrong with which file.
 */
export async function readPluggedIn(entries: Entries, where: string, nowMs: number): Promise<PluggedIn> {
  const at = (entry: string): string => `${where}: ${entry}`;
  const certificate = certificateOf(required(entries, ENTRY.certificate, where), at(ENTRY.certificate));
  const key = keyOf(required(entries, ENTRY.key, where), at(ENTRY.key));
  const chain = certificatesOf(required(entries, ENTRY.chain, where), at(ENTRY.chain));
  const roots = certificatesOf(required(entries, ENTRY.roots, where), at(ENTRY.roots));
  if (!certificate.checkPrivateKey(key))
    throw new Error(`${at(ENTRY.key)}: it is not the key of ${ENTRY.certificate} (${subjectOf(certificate)})`);
  const { namedCurve, modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  const fault = keyFault({
    type: key.asymmetricKeyType,
    curve: namedCurve,
    bits: modulusLength,
    exponent: publicExponent,
  });
  if (fault !== undefined) throw new Error(`${at(ENTRY.key)}: ${fault}`);
  const path = pathToRoot(certificate, chain, roots, where);
  const { factsOf } = await import('@inmesh/sdk/internal/identity/certificate');
  path.forEach((step, below) => {
    const entry = below === 0 ? ENTRY.certificate : below === path.length - 1 ? ENTRY.roots : ENTRY.chain;
    const wrong = issuerFault(step, { nowMs, below, facts: factsOf(step) });
    if (wrong !== undefined) throw new Error(`${at(entry)}: "${subjectOf(step)}" ${wrong}`);
  });
  const root = path.at(-1) ?? certificate;
  return {
    issuer: {
      certificate,
      key,
      intermediates: path.slice(0, -1).map(pemOf),
      root: pemOf(root),
      endMs: Math.min(...path.map(({ validToDate }) => validToDate.getTime())),
    },
    roots: [root, ...roots.filter((other) => !isSame(other, root))].map(pemOf),
  };
}

const isSame = (one: X509Certificate, other: X509Certificate): boolean => one.fingerprint256 === other.fingerprint256;

function certificatesOf(text: string, at: string): readonly X509Certificate[] {
  const blocks = certificateBlocks(text);
  if (blocks.length === 0) throw new Error(`${at}: certificates in PEM are expected`);
  return blocks.map((pem, index) => certificateOf(pem, `${at}: certificate ${index + 1}`));
}

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

/** From the issuer up, the root last. */
function pathToRoot(
  certificate: X509Certificate,
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  where: string,
): readonly X509Certificate[] {
  const path = [certificate];
  for (let top = certificate; !roots.some((root) => isSame(root, top)); ) {
    const above =
      roots.find((root) => isIssuedBy(top, root)) ??
      chain.find((step) => !path.some((taken) => isSame(taken, step)) && isIssuedBy(top, step));
    if (above === undefined)
      throw new Error(
        `${where}: ${ENTRY.chain}: nothing there or in ${ENTRY.roots} issued "${subjectOf(top)}", whose issuer is "${oneLine(top.issuer)}"`,
      );
    path.push(above);
    top = above;
  }
  return path;
}

interface IssuerTerms {
  readonly nowMs: number;
  /** CA certificates between it and the leaf. */
  readonly below: number;
  readonly facts: CertificateFacts | string;
}

/** RFC 5280 §6.1.4 (k)–(n): who issues something else here is refused by every peer, so it is said at the start. */
function issuerFault(certificate: X509Certificate, { nowMs, below, facts }: IssuerTerms): string | undefined {
  if (typeof facts === 'string') return `cannot be read: ${facts}`;
  if (!facts.isCa) return 'may not sign certificates; CA:TRUE is expected (RFC 5280 §4.2.1.9)';
  if (facts.keyUsage?.certSign === false) return 'lacks the key usage keyCertSign (RFC 5280 §4.2.1.3)';
  if (facts.pathLength !== undefined && below > facts.pathLength)
    return `allows ${facts.pathLength} CAs below it, there are ${below}`;
  if (nowMs > certificate.validToDate.getTime()) return `ended on ${certificate.validToDate.toISOString()}`;
  if (nowMs < certificate.validFromDate.getTime()) return `begins on ${certificate.validFromDate.toISOString()}`;
  return undefined;
}
