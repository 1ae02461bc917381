import { createHash, type KeyObject, webcrypto, type X509Certificate } from 'node:crypto';
import type { Extension, Name } from '@peculiar/x509';
import type { CertificateNames } from './csr-policy.ts';
import { pemText } from './pem.ts';
import { loadX509, type X509Library } from './x509.ts';

/** What signs: a CA certificate with its key, and the way from it to the root. */
export interface Issuer {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  /** PEM, sent with every leaf: the issuer itself first where it is not the root. */
  readonly intermediates: readonly string[];
  /** PEM. */
  readonly root: string;
  /** The earliest end of issuer, intermediates and root. */
  readonly endMs: number;
}

export interface Leaf {
  readonly publicKey: KeyObject;
  readonly names: CertificateNames;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hexadecimal. */
  readonly serial: string;
}

/** A workload's certificate (X.509-SVID §3 to §4; RFC 5280), in PEM. */
export async function signLeaf(issuer: Issuer, leaf: Leaf): Promise<string> {
  const x509 = await loadX509();
  const { name, authorityKeyId } = await partsOf(issuer.certificate);
  const spki = spkiOf(leaf.publicKey);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: leaf.serial,
    issuer: name,
    notBefore: new Date(leaf.notBeforeMs),
    notAfter: new Date(leaf.notAfterMs),
    publicKey: spki,
    signingKey: await signingKey(issuer.key),
    signingAlgorithm: signingAlgorithm(issuer.key),
    extensions: [
      ...leafUses(x509, leaf.publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'other'),
      new x509.SubjectKeyIdentifierExtension(keyId(spki)),
      authorityKeyId,
      // The subject is empty, so the names are critical (RFC 5280 §4.2.1.6).
      new x509.SubjectAlternativeNameExtension(generalNames(leaf.names), true),
    ],
  });
  return pemText(made.rawData, 'CERTIFICATE');
}

const uses = new Map<string, readonly Extension[]>();

/** The same for every leaf, so they are made once. */
function leafUses(x509: X509Library, kind: 'rsa' | 'other'): readonly Extension[] {
  const known = uses.get(kind);
  if (known !== undefined) return known;
  const { keyEncipherment, digitalSignature } = x509.KeyUsageFlags;
  const made = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    // Only RSA keys decipher (TLS 1.2 without forward secrecy); RFC 5480 §3 leaves it out for EC.
    new x509.KeyUsagesExtension(kind === 'rsa' ? digitalSignature | keyEncipherment : digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
  ];
  uses.set(kind, made);
  return made;
}

interface IssuerParts {
  readonly name: Name;
  readonly authorityKeyId: Extension;
}

const parts = new WeakMap<X509Certificate, Promise<IssuerParts>>();

/** What every certificate and list of an issuer repeats; read once. */
function partsOf(certificate: X509Certificate): Promise<IssuerParts> {
  let known = parts.get(certificate);
  if (known === undefined) {
    known = readParts(certificate);
    parts.set(certificate, known);
  }
  return known;
}

async function readParts({ raw }: X509Certificate): Promise<IssuerParts> {
  const x509 = await loadX509();
  const certificate = new x509.X509Certificate(raw);
  // An issuer that names its key itself is named so; plugged-in ones may have computed it in any way.
  const id =
    certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ??
    Buffer.from(await certificate.publicKey.getKeyIdentifier()).toString('hex');
  return { name: certificate.subjectName, authorityKeyId: new x509.AuthorityKeyIdentifierExtension(id) };
}

type GeneralNameJson = { readonly type: 'url' | 'dns' | 'ip'; readonly value: string };

const generalNames = ({ uris, dns = [], ips = [] }: CertificateNames): GeneralNameJson[] => [
  ...uris.map((value) => ({ type: 'url', value }) as const),
  ...dns.map((value) => ({ type: 'dns', value }) as const),
  ...ips.map((value) => ({ type: 'ip', value }) as const),
];

export interface RootRequest {
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
  readonly trustDomain: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serial: string;
}

/** A self-signed root, in PEM. Its subject names its key: two roots of one mesh are never taken for each other. */
export async function signRoot(request: RootRequest): Promise<string> {
  const x509 = await loadX509();
  const spki = spkiOf(request.publicKey);
  const id = keyId(spki);
  // `O` as istiod's roots have it.
  const name = new x509.Name([{ O: [request.trustDomain] }, { CN: [`Inmesh root ${id.slice(0, 8)}`] }]);
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    new x509.SubjectKeyIdentifierExtension(id),
    // X.509-SVID §4.1: a signing certificate may carry the trust domain's own id.
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${request.trustDomain}` }]),
  ];
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: request.serial,
    subject: name,
    issuer: name,
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    publicKey: spki,
    signingKey: await signingKey(request.key),
    signingAlgorithm: signingAlgorithm(request.key),
    extensions,
  });
  return pemText(made.rawData, 'CERTIFICATE');
}

export interface Revocation {
  /** Hexadecimal, capital letters, as node:crypto writes serial numbers. */
  readonly serial: string;
  readonly atMs: number;
}

export interface CrlRequest {
  readonly revoked: readonly Revocation[];
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
}

/** The revocation list of one issuer (RFC 5280 §5), in PEM. */
export async function signCrl(issuer: Pick<Issuer, 'certificate' | 'key'>, request: CrlRequest): Promise<string> {
  const x509 = await loadX509();
  const { name, authorityKeyId } = await partsOf(issuer.certificate);
  const made = await x509.X509CrlGenerator.create({
    issuer: name,
    thisUpdate: new Date(request.thisUpdateMs),
    nextUpdate: new Date(request.nextUpdateMs),
    // Without a reason the library writes an empty list of extensions, and Envoy (BoringSSL) refuses the whole list for it.
    entries: request.revoked.map(({ serial, atMs }) => ({
      serialNumber: serial,
      revocationDate: new Date(atMs),
      reason: x509.X509CrlReason.privilegeWithdrawn,
    })),
    extensions: [authorityKeyId],
    signingKey: await signingKey(issuer.key),
    signingAlgorithm: signingAlgorithm(issuer.key),
  });
  return pemText(made.rawData, 'X509 CRL');
}

const spkiOf = (key: KeyObject): Uint8Array<ArrayBuffer> => new Uint8Array(key.export({ type: 'spki', format: 'der' }));

/** The first 160 bits of SHA-256 over the key (RFC 7093 §2 method 4's way: over the whole SubjectPublicKeyInfo). */
const keyId = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex').slice(0, 40);

const HASH_OF_CURVE = new Map([
  ['prime256v1', 'SHA-256'],
  ['secp384r1', 'SHA-384'],
  ['secp521r1', 'SHA-512'],
]);
const NAME_OF_CURVE = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

function signingAlgorithm(key: KeyObject): { readonly name: string; readonly hash: string } {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  if (key.asymmetricKeyType === 'ed25519') return { name: 'Ed25519', hash: '' };
  return { name: 'ECDSA', hash: HASH_OF_CURVE.get(key.asymmetricKeyDetails?.namedCurve ?? '') ?? 'SHA-256' };
}

const signingKeys = new WeakMap<KeyObject, Promise<webcrypto.CryptoKey>>();

/** The library signs by WebCrypto; the copy it is given cannot be exported. */
function signingKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const known = signingKeys.get(key);
  if (known !== undefined) return known;
  const { name, hash } = signingAlgorithm(key);
  const namedCurve = NAME_OF_CURVE.get(key.asymmetricKeyDetails?.namedCurve ?? '');
  const algorithm = {
    name,
    ...(name === 'RSASSA-PKCS1-v1_5' ? { hash } : namedCurve === undefined ? {} : { namedCurve }),
  };
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const made = webcrypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, false, ['sign']);
  signingKeys.set(key, made);
  return made;
}
