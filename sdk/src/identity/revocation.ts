import { verify, type X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate, CertificateList } from '@peculiar/asn1-x509';
import { factsOf } from './certificate.ts';

/** One revocation list (RFC 5280 §5). It counts for certificates whose issuer signed it, whoever brought it. */
export interface RevocationList {
  /** DER of the issuer's name, in hex. */
  readonly issuer: string;
  /** Serial numbers in hex, upper case, without leading zeros. */
  readonly serials: ReadonlySet<string>;
  isSignedBy(issuer: X509Certificate): boolean;
}

/** Signature algorithms of lists: the digest node:crypto is to use. RFC 5758, RFC 8017 (PKCS #1), RFC 8410. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
]);

/** Values of a list: about 300,000 serial numbers. The parser's own limit, 10,000, would drop a list of 3,000. */
const MOST_NODES = 1_000_000;

/** Lists that are kept by their text. Each costs 20 µs of CPU a serial number, and most bundles change by their roots alone. */
const MOST_KEPT = 8;
const kept = new Map<string, RevocationList | string>();

/** Lists of PEM texts; `faults` says which could not be read: whoever goes by them can take nobody. */
export function readRevocationLists(pems: readonly string[]): { lists: RevocationList[]; faults: string[] } {
  const lists: RevocationList[] = [];
  const faults: string[] = [];
  for (const pem of pems) {
    const list = keptList(pem);
    if (typeof list === 'string') faults.push(`a revocation list: ${list}`);
    else lists.push(list);
  }
  return { lists, faults };
}

function keptList(pem: string): RevocationList | string {
  const list = kept.get(pem) ?? readRevocationList(pem);
  kept.delete(pem);
  kept.set(pem, list);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value ?? '');
  return list;
}

/** The list, or what is wrong with it. */
function readRevocationList(pem: string): RevocationList | string {
  try {
    const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
    const list = AsnConvert.parse(der, CertificateList, { berOptions: { maxNodes: MOST_NODES } });
    const { tbsCertList, tbsCertListRaw, signatureAlgorithm, signature } = list;
    const digest = DIGESTS.get(signatureAlgorithm.algorithm);
    if (digest === undefined) return `it is signed by ${signatureAlgorithm.algorithm}, which is not understood`;
    const bytes = Buffer.from(tbsCertListRaw ?? AsnConvert.serialize(tbsCertList));
    return {
      issuer: hex(AsnConvert.serialize(tbsCertList.issuer)),
      serials: new Set((tbsCertList.revokedCertificates ?? []).map(({ userCertificate }) => serial(userCertificate))),
      isSignedBy: signedBy(digest, bytes, Buffer.from(signature)),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function signedBy(digest: string | null, bytes: Uint8Array, signature: Uint8Array): RevocationList['isSignedBy'] {
  const answers = new WeakMap<X509Certificate, boolean>();
  return (issuer) => {
    let answer = answers.get(issuer);
    if (answer === undefined) {
      answer = maySign(issuer) && isValid(digest, bytes, issuer, signature);
      answers.set(issuer, answer);
    }
    return answer;
  };
}

/** RFC 5280 §6.3.3 (f): the issuer's key usage, where it says one, holds cRLSign. */
function maySign(issuer: X509Certificate): boolean {
  const facts = factsOf(issuer);
  return typeof facts !== 'string' && (facts.keyUsage?.crlSign ?? true);
}

function isValid(digest: string | null, bytes: Uint8Array, issuer: X509Certificate, signature: Uint8Array): boolean {
  try {
    return verify(digest, bytes, issuer.publicKey, signature);
  } catch {
    // A key of another kind than the signature.
    return false;
  }
}

/**
 * Whether a list that `issuer` signed names the certificate. Without a list of its issuer a certificate counts as good;
 * a list past its next update still counts: what it names does not become good again.
 */
export function isRevoked(
  certificate: X509Certificate,
  issuer: X509Certificate,
  lists: readonly RevocationList[],
): boolean {
  if (lists.length === 0) return false;
  const name = issuerName(certificate);
  const number = trimmed(certificate.serialNumber);
  return lists.some((list) => list.issuer === name && list.serials.has(number) && list.isSignedBy(issuer));
}

const names = new WeakMap<X509Certificate, string>();

function issuerName(certificate: X509Certificate): string {
  let name = names.get(certificate);
  if (name === undefined) {
    name = hex(AsnConvert.serialize(AsnConvert.parse(certificate.raw, Certificate).tbsCertificate.issuer));
    names.set(certificate, name);
  }
  return name;
}

const hex = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString('hex').toUpperCase();
const trimmed = (digits: string): string => digits.toUpperCase().replace(/^0+(?=.)/, '');
const serial = (bytes: ArrayBuffer): string => trimmed(hex(bytes));
