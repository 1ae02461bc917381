import { createPublicKey, type KeyObject } from 'node:crypto';
import { keyFault } from './csr-policy.ts';
import { pemBytes } from './pem.ts';
import { CertificateRefused } from './refusal.ts';
import { loadX509 } from './x509.ts';

/** RSA 8192 with a few names is 4 KiB of PEM. */
const MOST_CHARACTERS = 32_768;
const HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

/**
 * The public key of a certificate signing request (RFC 2986), once it is clear that the sender holds the private one. Nothing
 * else of the request counts: neither subject nor names nor extensions, so they are not even decoded.
 */
export async function readCsr(pem: string): Promise<KeyObject> {
  if (pem.length > MOST_CHARACTERS)
    throw new CertificateRefused('too-large', `csr: got ${pem.length} characters; at most ${MOST_CHARACTERS} are read`);
  const der = pemBytes(pem, 'CERTIFICATE REQUEST') ?? pemBytes(pem, 'NEW CERTIFICATE REQUEST');
  if (der === undefined) throw new CertificateRefused('malformed', 'csr: a PEM block CERTIFICATE REQUEST is expected');
  const { Pkcs10CertificateRequest } = await loadX509();
  const request = parse(() => new Pkcs10CertificateRequest(der));
  const key = parse(() =>
    createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' }),
  );
  const details = key.asymmetricKeyDetails ?? {};
  const fault = keyFault({
    type: key.asymmetricKeyType,
    curve: details.namedCurve,
    bits: details.modulusLength,
    exponent: details.publicExponent,
  });
  if (fault !== undefined) throw new CertificateRefused('key', `csr: ${fault}`);
  await checkSignature(request, key);
  return canonical(key);
}

interface Signed {
  readonly signatureAlgorithm: { readonly name: string; readonly hash?: unknown };
  verify(): Promise<boolean>;
}

async function checkSignature(request: Signed, key: KeyObject): Promise<void> {
  const { hash } = parse(() => request.signatureAlgorithm);
  const name = typeof hash === 'object' && hash !== null && 'name' in hash ? String(hash.name) : 'none';
  // Ed25519 hashes within. MD5 and SHA-1 prove nothing any more (RFC 9155).
  if (key.asymmetricKeyType !== 'ed25519' && !HASHES.has(name))
    throw new CertificateRefused(
      'signature',
      `csr: got a signature over ${name}; ${[...HASHES].join(', ')} are allowed`,
    );
  const good = await request.verify().catch(() => false);
  if (!good) throw new CertificateRefused('signature', 'csr: its signature is not by the key it carries');
}

/** The same key written in the one way everybody reads: no compressed points, no explicit curve parameters. */
const canonical = (key: KeyObject): KeyObject => createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch {
    // What the parser says quotes the input; whoever sent it knows that.
    throw new CertificateRefused('malformed', 'csr: it is no certificate request (RFC 2986)');
  }
}
