import { constants, createHash, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { CertificateSource, DownstreamTls, RootsSource, UpstreamTls } from '../model/tls.ts';
import { createBundles, mergeBundles, pemBlocks } from './bundles.ts';
import type { Identity, TrustBundles } from './identity.ts';
import type { Secrets } from './secrets.ts';

/** What an end needs and is not there; for errors and explain. */
export interface Missing {
  readonly missing: string;
}

/** Whom the other end is verified by. */
export type Trust =
  | { readonly kind: 'mesh'; readonly bundles: TrustBundles; readonly trustDomains: readonly string[] }
  /** `ca` undefined: the platform's roots. */
  | { readonly kind: 'roots'; readonly ca: readonly string[] | undefined; readonly crl: readonly string[] }
  | { readonly kind: 'unchecked' };

/** Certificate, key and roots of one end as they are now. */
export interface Material {
  /** Equal stamps of equal settings: the same material. */
  readonly stamp: string;
  readonly certificate: { readonly chain: string; readonly key: KeyObject | string } | undefined;
  readonly trust: Trust;
}

export interface MaterialSources {
  readonly identity: Identity;
  readonly secrets: Secrets;
}

type End = UpstreamTls | DownstreamTls;
type Found<T> = { readonly stamp: string; readonly value: T } | Missing;

/** Reads what the settings name; cheap where nothing changed, but for the `stat` of files. */
export function materialOf(tls: End, sources: MaterialSources): Material | Missing {
  const certificate = tls.certificate === undefined ? NONE : certificateOf(tls.certificate, sources);
  if ('missing' in certificate) return certificate;
  const extra = revokedOf(tls);
  if ('missing' in extra) return extra;
  const trust = trustOf(tls.roots, extra, sources);
  if ('missing' in trust) return trust;
  return {
    stamp: `${certificate.stamp}|${trust.stamp}|${extra.stamp}`,
    certificate: certificate.value,
    trust: trust.value,
  };
}

const NONE = { stamp: '', value: undefined } as const;

function certificateOf(
  source: CertificateSource,
  { identity, secrets }: MaterialSources,
): Found<Material['certificate']> {
  if (source.kind === 'identity') {
    const state = identity.current();
    if (state === undefined) return { missing: identity.missing };
    return { stamp: `i${state.generation}`, value: state.svid };
  }
  if (source.kind === 'secret') {
    const secret = secrets.get(source.name);
    if (secret?.certificate === undefined)
      return { missing: `the secret ${source.name} with a certificate has not come` };
    return { stamp: `s${secret.generation}`, value: secret.certificate };
  }
  if (source.kind === 'inline') return { stamp: '', value: { chain: source.certificate, key: source.key } };
  const chain = fileOf(source.certificate, 'CERTIFICATE');
  if ('missing' in chain) return chain;
  const key = fileOf(source.key, 'PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY');
  if ('missing' in key) return key;
  return { stamp: `${chain.stamp}+${key.stamp}`, value: { chain: chain.value, key: key.value } };
}

function trustOf(
  source: RootsSource,
  { value: revoked }: { readonly value: readonly string[] },
  { identity, secrets }: MaterialSources,
): Found<Trust> {
  if (source.kind === 'unchecked') return { stamp: '', value: { kind: 'unchecked' } };
  if (source.kind === 'system') return { stamp: '', value: { kind: 'roots', ca: undefined, crl: revoked } };
  if (source.kind === 'inline') return { stamp: '', value: { kind: 'roots', ca: [source.pem], crl: revoked } };
  if (source.kind === 'file') {
    const file = fileOf(source.path, 'CERTIFICATE', 'TRUSTED CERTIFICATE');
    return 'missing' in file ? file : { stamp: file.stamp, value: { kind: 'roots', ca: [file.value], crl: revoked } };
  }
  if (source.kind === 'secret') {
    const secret = secrets.get(source.name);
    if (secret?.roots === undefined) return { missing: `the secret ${source.name} with CA certificates has not come` };
    const { pems, byTrustDomain, revoked: listed } = secret.roots;
    if (byTrustDomain !== undefined) {
      const bundles = bundlesOf(byTrustDomain, [...listed, ...revoked]);
      return { stamp: `s${secret.generation}`, value: { kind: 'mesh', trustDomains: [], bundles } };
    }
    return { stamp: `s${secret.generation}`, value: { kind: 'roots', ca: pems, crl: [...listed, ...revoked] } };
  }
  if (source.kind === 'bundles') {
    // The configuration says it all: no trust domain counts as another here.
    return { stamp: '', value: { kind: 'mesh', trustDomains: [], bundles: bundlesOf(source.bundles, revoked) } };
  }
  const state = identity.current();
  if (state === undefined) return { missing: identity.missing };
  const { generation, trustDomains, bundles } = state;
  return { stamp: `i${generation}`, value: { kind: 'mesh', trustDomains, bundles: withRevoked(bundles, revoked) } };
}

type PemsByTrustDomain = ReadonlyMap<string, string | readonly string[]>;

const given = new WeakMap<PemsByTrustDomain, TrustBundles>();

/** One object for the same roots, so that bundles are read once. */
function bundlesOf(roots: PemsByTrustDomain, revoked: readonly string[]): TrustBundles {
  let bundles = given.get(roots);
  if (bundles === undefined) {
    bundles = createBundles([...roots].map(([name, pem]) => [name, typeof pem === 'string' ? [pem] : pem] as const));
    given.set(roots, bundles);
  }
  return withRevoked(bundles, revoked);
}

const merged = new WeakMap<TrustBundles, { readonly revoked: string; readonly bundles: TrustBundles }>();

/** One object for the same lists, so that bundles are read once. */
function withRevoked(bundles: TrustBundles, revoked: readonly string[]): TrustBundles {
  if (revoked.length === 0) return bundles;
  const text = revoked.join('\n');
  const before = merged.get(bundles);
  if (before?.revoked === text) return before.bundles;
  const both = mergeBundles(bundles, createBundles([], revoked));
  merged.set(bundles, { revoked: text, bundles: both });
  return both;
}

function revokedOf({ crl }: End): Exclude<Found<readonly string[]>, Missing> | Missing {
  if (crl === undefined) return { stamp: '', value: [] };
  if (crl.kind === 'inline') return { stamp: '', value: [crl.pem] };
  const file = fileOf(crl.path, 'X509 CRL');
  return 'missing' in file ? file : { stamp: file.stamp, value: [file.value] };
}

const files = new Map<string, { readonly stamp: string; readonly value: string }>();

/** A file as it is now: one that was replaced counts from the next connection on. */
function fileOf(path: string, ...labels: readonly string[]): Found<string> {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    const stamp = `f${mtimeMs} ${size} ${ino}`;
    const before = files.get(path);
    if (before?.stamp === stamp) return before;
    const value = readFileSync(path, 'utf8');
    // Without one nobody could be verified; OpenSSL would not mind.
    if (pemBlocks(value, ...labels).length === 0) return { missing: `${path}: there is no PEM ${labels[0]} in it` };
    const read = { stamp, value };
    files.set(path, read);
    return read;
  } catch (error) {
    return { missing: `${path}: ${error instanceof Error ? error.message : error}` };
  }
}

/**
 * No session tickets: see {@link contextOptions}. No renegotiation (TLS 1.2): who the other end is was decided at the one handshake,
 * and it would come for the price of a few bytes to a peer.
 */
const ONE_HANDSHAKE = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

/** Cipher suites of TLS 1.3, which lists of suites in the configuration do not speak of (Envoy TlsParameters.cipher_suites). */
const TLS_1_3_SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'];

/**
 * No tickets, so no resumption, at either end: on a resumed session Node does not ask for the server's names, and a server
 * takes a client that presents no certificate for the one that once did.
 */
export function contextOptions(tls: End, { certificate, trust }: Material): SecureContextOptions {
  const { maxVersion, cipherSuites = [] } = tls;
  const minVersion = tls.minVersion ?? (trust.kind === 'mesh' && maxVersion !== 'TLSv1.2' ? 'TLSv1.3' : undefined);
  const suites = cipherSuites.some((name) => name.startsWith('TLS_'))
    ? cipherSuites
    : [...TLS_1_3_SUITES, ...cipherSuites];
  return {
    ...(certificate !== undefined && { cert: certificate.chain, key: keyText(certificate.key) }),
    ...trustOptions(trust),
    ...(minVersion !== undefined && { minVersion }),
    ...(maxVersion !== undefined && { maxVersion }),
    ...(cipherSuites.length > 0 && { ciphers: suites.join(':') }),
    secureOptions: ONE_HANDSHAKE,
  };
}

const keyText = (key: KeyObject | string): string | Buffer =>
  typeof key === 'string' ? key : key.export({ type: 'pkcs8', format: 'pem' });

/**
 * All trust domains' roots for OpenSSL, which judges the chain as a whole; that it leads to the right ones is
 * `verifyPeer`'s. Never without `ca`: Node would take the public roots. Lists go to OpenSSL for peers outside the mesh,
 * where each CA of a chain must then have one (Envoy CertificateValidationContext.crl).
 */
function trustOptions(trust: Trust): SecureContextOptions {
  if (trust.kind === 'unchecked') return {};
  if (trust.kind === 'mesh') {
    const { bundles } = trust;
    // A bundle may hold an intermediate for a root (X.509-SVID §5: trust anchors need not be self-signed).
    return { ca: bundles.trustDomains.flatMap((name) => bundles.of(name) ?? []), allowPartialTrustChain: true };
  }
  return { ...(trust.ca !== undefined && { ca: [...trust.ca] }), ...(trust.crl.length > 0 && { crl: [...trust.crl] }) };
}

/** What of the settings goes into a context, as a key that shows no secret. */
export function contextKey({ certificate, roots, crl, minVersion, maxVersion, cipherSuites }: End): string {
  const held = roots.kind === 'bundles' ? [...roots.bundles] : roots;
  const text = JSON.stringify([certificate, held, crl, minVersion, maxVersion, cipherSuites]);
  return createHash('sha256').update(text).digest('base64url');
}
