import { X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  type GeneralName,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509';
import type { NameMatch } from '../model/tls.ts';

/** One subject alternative name, as it stands in the DER. */
export interface SubjectName {
  readonly type: NonNullable<NameMatch['type']>;
  readonly value: string;
}

/** What node:crypto does not tell of a certificate, or tells only as text made for people. */
export interface CertificateFacts {
  readonly names: readonly SubjectName[];
  readonly isCa: boolean;
  /** How many intermediates may stand below it; undefined: any number. */
  readonly pathLength?: number;
  /** undefined: the certificate does not say. */
  readonly keyUsage?: { readonly digitalSignature: boolean; readonly certSign: boolean; readonly crlSign: boolean };
  /** OIDs; undefined: for anything. */
  readonly extendedKeyUsage?: readonly string[];
  /** Which hosts' names an issuer may vouch for (RFC 5280 §4.2.1.10), in what concerns URIs and DNS names. */
  readonly constraints?: { readonly permitted: readonly SubjectName[]; readonly excluded: readonly SubjectName[] };
  /** OID of the algorithm it is signed by. */
  readonly signature: string;
  /** Critical extensions that are not understood here (RFC 5280 §4.2: such a certificate must be refused). */
  readonly unknownCritical: readonly string[];
}

const EXTENSION = {
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** Harmless to pass over: hints, and policies, of which none is ever asked for. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  '2.5.29.14', // subject key identifier
  '2.5.29.31', // CRL distribution points
  '2.5.29.32', // certificate policies
  '2.5.29.35', // authority key identifier
  '2.5.29.36', // policy constraints
]);

/** Certificates of peers that are kept: they come again with each connection. */
const MOST_KEPT = 512;
const LARGEST_KEPT = 4_096;

const kept = new Map<string, X509Certificate>();

/** The same object for the same DER: reading one costs half a millisecond, and peers keep theirs for hours. */
export function certificateOf(der: Buffer): X509Certificate {
  const key = der.toString('latin1');
  let certificate = kept.get(key);
  if (certificate === undefined) {
    certificate = new X509Certificate(der);
    if (kept.size >= MOST_KEPT) kept.clear();
    // A peer chooses how large its own is.
    if (der.length <= LARGEST_KEPT) kept.set(key, certificate);
  }
  return certificate;
}

const known = new WeakMap<X509Certificate, CertificateFacts | string>();

/** Read once a certificate object. What is wrong with a certificate that cannot be read. */
export function factsOf(certificate: X509Certificate): CertificateFacts | string {
  let facts = known.get(certificate);
  if (facts === undefined) {
    facts = readFacts(certificate.raw);
    known.set(certificate, facts);
  }
  return facts;
}

function readFacts(der: Uint8Array): CertificateFacts | string {
  try {
    const { tbsCertificate, signatureAlgorithm } = AsnConvert.parse(der, Certificate);
    const { extensions = [] } = tbsCertificate;
    const byId = new Map<string, ArrayBuffer>();
    const unknownCritical: string[] = [];
    const understood: readonly string[] = Object.values(EXTENSION);
    for (const { extnID, critical, extnValue } of extensions) {
      // RFC 5280 §4.2: at most one of each. Two readers would otherwise see two different certificates.
      if (byId.has(extnID)) return `extension ${extnID} stands in it twice`;
      byId.set(extnID, extnValue.buffer);
      if (critical && !understood.includes(extnID) && !PASSED_OVER.has(extnID)) unknownCritical.push(extnID);
    }
    const names = readNames(byId.get(EXTENSION.subjectAlternativeName));
    return { ...readUses(byId), names, signature: signatureAlgorithm.algorithm, unknownCritical };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readUses(
  byId: ReadonlyMap<string, ArrayBuffer>,
): Omit<CertificateFacts, 'names' | 'signature' | 'unknownCritical'> {
  const basic = parsed(byId.get(EXTENSION.basicConstraints), BasicConstraints);
  const usage = parsed(byId.get(EXTENSION.keyUsage), KeyUsage)?.toNumber();
  const extended = parsed(byId.get(EXTENSION.extendedKeyUsage), ExtendedKeyUsage);
  const constraints = parsed(byId.get(EXTENSION.nameConstraints), NameConstraints);
  const has = (flag: number): boolean => ((usage ?? 0) & flag) !== 0;
  return {
    isCa: basic?.cA ?? false,
    ...(basic?.pathLenConstraint !== undefined && { pathLength: basic.pathLenConstraint }),
    ...(usage !== undefined && {
      keyUsage: {
        digitalSignature: has(KeyUsageFlags.digitalSignature),
        certSign: has(KeyUsageFlags.keyCertSign),
        crlSign: has(KeyUsageFlags.cRLSign),
      },
    }),
    ...(extended !== undefined && { extendedKeyUsage: [...extended] }),
    ...(constraints !== undefined && {
      constraints: {
        permitted: [...(constraints.permittedSubtrees ?? [])].flatMap(({ base }) => nameOf(base)),
        excluded: [...(constraints.excludedSubtrees ?? [])].flatMap(({ base }) => nameOf(base)),
      },
    }),
  };
}

const parsed = <T>(der: ArrayBuffer | undefined, type: new () => T): T | undefined =>
  der === undefined ? undefined : AsnConvert.parse(der, type);

const readNames = (der: ArrayBuffer | undefined): SubjectName[] =>
  [...(parsed(der, SubjectAlternativeName) ?? [])].flatMap(nameOf);

function nameOf(name: GeneralName): SubjectName[] {
  if (name.uniformResourceIdentifier !== undefined) return [{ type: 'uri', value: name.uniformResourceIdentifier }];
  if (name.dNSName !== undefined) return [{ type: 'dns', value: name.dNSName }];
  if (name.rfc822Name !== undefined) return [{ type: 'email', value: name.rfc822Name }];
  if (name.iPAddress !== undefined) return [{ type: 'ip', value: name.iPAddress }];
  return [];
}
