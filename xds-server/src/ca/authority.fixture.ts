import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { loadX509 } from './x509.ts';

export const DAY_MS = 86_400_000;
export const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';

/** A clock that moves when told. */
export function handClock(startMs = Date.UTC(2026, 10, 21)): Clock & { advance(ms: number): void; pending(): number } {
  let nowMs = 0;
  const waiting = new Set<{ readonly atMs: number; readonly run: () => void }>();
  return {
    now: () => nowMs,
    wallTime: () => startMs + nowMs,
    after(ms, run) {
      const entry = { atMs: nowMs + ms, run };
      waiting.add(entry);
      return { cancel: () => waiting.delete(entry) };
    },
    advance(ms) {
      nowMs += ms;
      for (const entry of [...waiting]) {
        if (entry.atMs > nowMs) continue;
        waiting.delete(entry);
        entry.run();
      }
    },
    pending: () => waiting.size,
  };
}

export interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const ecKeys = (namedCurve = 'P-256'): Keys => generateKeyPairSync('ec', { namedCurve });

export interface CsrOptions {
  readonly keys?: Keys;
  readonly hash?: string;
  readonly subject?: string;
  readonly uris?: readonly string[];
  readonly ca?: boolean;
}

/** A CSR as a workload, or somebody worse, would make it. */
export async function csrOf({
  keys = ecKeys(),
  hash = 'SHA-256',
  subject,
  uris = [],
  ca = false,
}: CsrOptions = {}): Promise<string> {
  const x509 = await loadX509();
  const algorithm = algorithmOf(keys.publicKey, hash);
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey(
      'pkcs8',
      new Uint8Array(keys.privateKey.export({ type: 'pkcs8', format: 'der' })),
      algorithm,
      true,
      ['sign'],
    ),
    webcrypto.subtle.importKey(
      'spki',
      new Uint8Array(keys.publicKey.export({ type: 'spki', format: 'der' })),
      algorithm,
      true,
      ['verify'],
    ),
  ]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    ...(subject === undefined ? {} : { name: subject }),
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [
      ...(uris.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url' as const, value })))]),
      ...(ca ? [new x509.BasicConstraintsExtension(true, undefined, true)] : []),
    ],
  });
  return request.toString('pem');
}

function algorithmOf(key: KeyObject, hash: string): { name: string; hash?: string; namedCurve?: string } {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash };
  if (key.asymmetricKeyType === 'ed25519') return { name: 'Ed25519' };
  return { name: 'ECDSA', hash, namedCurve: key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'P-384' : 'P-256' };
}

export function openssl(args: readonly string[], cwd?: string): string {
  return execFileSync('openssl', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
}

export const hasOpenssl = (): boolean => {
  try {
    openssl(['version']);
    return true;
  } catch {
    return false;
  }
};
