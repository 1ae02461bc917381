import type { X509Certificate } from 'node:crypto';
import { factsOf } from './certificate.ts';

/** Signatures over MD2, MD5 and SHA-1 can be moved to another certificate. */
const BROKEN_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10040.4.3',
  '1.2.840.10045.4.1',
]);

const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const LEAST_RSA_BITS = 2_048;

/** What is too weak about a certificate, as OpenSSL's security level 2 has it (112 bits); a root's own signature proves nothing. */
export function strengthFault(certificate: X509Certificate, isRoot: boolean): string | undefined {
  const facts = factsOf(certificate);
  if (typeof facts === 'string') return facts;
  if (!isRoot && BROKEN_SIGNATURES.has(facts.signature))
    return `is signed by ${facts.signature}, whose digest is broken`;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = certificate.publicKey;
  const { modulusLength = 0, namedCurve = '' } = details;
  if ((type === 'rsa' || type === 'rsa-pss') && modulusLength < LEAST_RSA_BITS)
    return `has an RSA key of ${modulusLength} bits, fewer than ${LEAST_RSA_BITS}`;
  if (type === 'ec' && !CURVES.has(namedCurve)) return `has a key on the curve ${namedCurve}`;
  if (type === 'dsa' || type === 'dh') return `has a ${type.toUpperCase()} key`;
  return undefined;
}
