import type { X509Certificate } from 'node:crypto';
import type { CertificatePin } from '../model/tls.ts';

/** Envoy verify_certificate_spki and verify_certificate_hash: one of all of them is enough. */
export function isPinned(certificate: X509Certificate | undefined, pins: readonly CertificatePin[]): boolean {
  if (certificate === undefined) return false;
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const of = { 'public-key': sha256(spki), certificate: sha256(certificate.raw) };
  return pins.some((pin) => of[pin.of] === pin.sha256);
}

const sha256 = (bytes: Uint8Array): string =>
  process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('base64');
