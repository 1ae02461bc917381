import 'reflect-metadata';
import { KeyObject, type webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** Certificates for tests, good ones and every kind of bad one, made on the spot by a library that is not ours. */

const subtle = crypto.subtle;
const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const USES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;
const HOUR_MS = 3_600_000;

export interface CertificateOptions {
  readonly subject?: string;
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly emails?: readonly string[];
  /** An hour ago. */
  readonly notBeforeMs?: number;
  /** In a day. */
  readonly notAfterMs?: number;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  /** digitalSignature, of a CA keyCertSign and cRLSign. */
  readonly keyUsage?: x509.KeyUsageFlags;
  /** Of a leaf both; of a CA none is said. */
  readonly uses?: readonly (keyof typeof USES | { readonly oid: string })[];
  readonly serial?: string;
  readonly extensions?: readonly x509.Extension[];
}

/** An extension that no option makes. */
export const extension = (oid: string, isCritical: boolean, der: Uint8Array<ArrayBuffer>): x509.Extension =>
  new x509.Extension(oid, isCritical, der);

/** Names once more. */
export const secondNames = (...uris: readonly string[]): x509.Extension =>
  new x509.SubjectAlternativeNameExtension(namesOf({ uris }));

/** A leaf and what it presents. */
export interface TestCertificate {
  /** Leaf, then the intermediates. */
  readonly pem: string;
  readonly keyPem: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  /** As a peer would present them, leaf first. */
  readonly presented: readonly X509Certificate[];
}

export interface TestCa {
  readonly pem: string;
  readonly keyPem: string;
  readonly certificate: X509Certificate;
  issue(options?: CertificateOptions): Promise<TestCertificate>;
  /** A CA under this one; what it issues presents its certificate. */
  intermediate(options?: CertificateOptions): Promise<TestCa>;
  /** This CA's own name and key under another issuer (a cross certificate); what it then issues presents that. */
  crossSignedBy(other: TestCa): Promise<TestCa>;
  /** PEM list of what this CA revokes. */
  crl(...revoked: readonly TestCertificate[]): Promise<string>;
  readonly signer: Signer;
}

interface Signer {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly intermediates: readonly string[];
}

/** A root, `isCa: true` unless told otherwise. */
export async function createTestCa(options: CertificateOptions = {}): Promise<TestCa> {
  const keys = await createKeys();
  const name = options.subject ?? 'CN=test root';
  const self: Signer = { name, keys, intermediates: [] };
  const made = await sign(self, keys.publicKey, { isCa: true, ...options, subject: name });
  return caOf(made, self);
}

/** A leaf that signed itself. */
export async function selfSigned(options: CertificateOptions = {}): Promise<TestCertificate> {
  const keys = await createKeys();
  const name = options.subject ?? 'CN=nobody';
  const made = await sign({ name, keys, intermediates: [] }, keys.publicKey, { ...options, subject: name });
  return leafOf(made, keys, []);
}

async function caOf(made: x509.X509Certificate, signer: Signer): Promise<TestCa> {
  const pem = made.toString('pem');
  const keyPem = pemOf(signer.keys.privateKey);
  return {
    pem: `${pem}\n`,
    keyPem,
    certificate: new X509Certificate(pem),
    signer,
    async issue(options = {}) {
      const keys = await createKeys();
      return leafOf(await sign(signer, keys.publicKey, options), keys, signer.intermediates);
    },
    async intermediate(options = {}) {
      const keys = await createKeys();
      const subject = options.subject ?? 'CN=test intermediate';
      const below = await sign(signer, keys.publicKey, { isCa: true, ...options, subject });
      const intermediates = [below.toString('pem'), ...signer.intermediates];
      return caOf(below, { name: subject, keys, intermediates });
    },
    async crossSignedBy(other) {
      const cross = await sign(other.signer, signer.keys.publicKey, { isCa: true, subject: signer.name });
      const intermediates = [cross.toString('pem'), ...other.signer.intermediates];
      return caOf(cross, { ...signer, intermediates });
    },
    crl: (...revoked) => listOf(signer, revoked),
  };
}

const createKeys = (): Promise<webcrypto.CryptoKeyPair> => subtle.generateKey(P256, true, ['sign', 'verify']);

function sign(
  signer: Signer,
  publicKey: webcrypto.CryptoKey,
  options: CertificateOptions,
): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.create({
    serialNumber: options.serial ?? newSerial(),
    subject: options.subject ?? '',
    issuer: signer.name,
    notBefore: new Date(options.notBeforeMs ?? Date.now() - HOUR_MS),
    notAfter: new Date(options.notAfterMs ?? Date.now() + 24 * HOUR_MS),
    signingAlgorithm: SIGNING,
    publicKey,
    signingKey: signer.keys.privateKey,
    extensions: extensionsOf(options),
  });
}

function extensionsOf(options: CertificateOptions): x509.Extension[] {
  const { isCa = false, uses = isCa ? [] : ['server', 'client'], pathLength, extensions = [] } = options;
  const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const names = namesOf(options);
  const oids = uses.map((use) => (typeof use === 'string' ? USES[use] : use.oid));
  return [
    new x509.BasicConstraintsExtension(isCa, pathLength, true),
    new x509.KeyUsagesExtension(options.keyUsage ?? (isCa ? keyCertSign | cRLSign : digitalSignature), true),
    ...(oids.length > 0 ? [new x509.ExtendedKeyUsageExtension(oids)] : []),
    // RFC 5280 §4.2.1.6: critical where the subject is empty.
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names, options.subject === undefined)] : []),
    ...extensions,
  ];
}

const namesOf = ({ uris = [], dns = [], ips = [], emails = [] }: CertificateOptions): x509.JsonGeneralNames => [
  ...uris.map((value) => ({ type: 'url', value }) as const),
  ...dns.map((value) => ({ type: 'dns', value }) as const),
  ...ips.map((value) => ({ type: 'ip', value }) as const),
  ...emails.map((value) => ({ type: 'email', value }) as const),
];

function leafOf(
  made: x509.X509Certificate,
  keys: webcrypto.CryptoKeyPair,
  intermediates: readonly string[],
): TestCertificate {
  const pems = [made.toString('pem'), ...intermediates];
  const presented = pems.map((pem) => new X509Certificate(pem));
  return {
    pem: `${pems.join('\n')}\n`,
    keyPem: pemOf(keys.privateKey),
    key: KeyObject.from(keys.privateKey),
    certificate: new X509Certificate(made.toString('pem')),
    presented,
  };
}

async function listOf(signer: Signer, revoked: readonly TestCertificate[]): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: signer.name,
    thisUpdate: new Date(Date.now() - HOUR_MS),
    nextUpdate: new Date(Date.now() + 24 * HOUR_MS),
    signingAlgorithm: SIGNING,
    signingKey: signer.keys.privateKey,
    entries: revoked.map(({ certificate }) => ({
      serialNumber: certificate.serialNumber,
      revocationDate: new Date(),
      // Without one the library writes an empty list of extensions, which BoringSSL refuses.
      reason: x509.X509CrlReason.privilegeWithdrawn,
    })),
  });
  // The library writes BEGIN CRL; OpenSSL, and so everybody, reads BEGIN X509 CRL (RFC 7468 §7).
  return `${list.toString('pem').replaceAll(' CRL-', ' X509 CRL-')}\n`;
}

const pemOf = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();

/** 16 bytes, positive, without a leading zero byte. */
function newSerial(): string {
  const bytes = crypto.getRandomValues(Buffer.alloc(16));
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}
