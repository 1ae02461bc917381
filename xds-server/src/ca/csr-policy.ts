/** What may be certified: pure rules over plain facts; `csr.ts` reads them out of a request. */
import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';

/** What a certificate says who its holder is. The names come from the authenticated caller, never from the CSR. */
export interface CertificateNames {
  readonly uris: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** A public key as node:crypto describes it. */
export interface KeyFacts {
  readonly type: string | undefined;
  readonly curve?: string | undefined;
  readonly bits?: number | undefined;
  readonly exponent?: bigint | undefined;
}

const ALLOWED_KEYS = 'P-256, P-384, RSA of 2048 to 8192 bits and Ed25519 are allowed';
const CURVES = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
]);
/** What every verifier of a handshake would have to bear: 8192 bits are 30 times the work of 2048. */
const RSA_BITS = { least: 2_048, most: 8_192 };
/** FIPS 186-5 A.1.1 wants more than 2^16; Go and BoringSSL verify none above 2^32. */
const RSA_EXPONENT = { least: 65_537n, most: 4_294_967_295n };

/** Why a key is not certified; undefined where it is. */
export function keyFault({ type, curve, bits = 0, exponent = 0n }: KeyFacts): string | undefined {
  if (type === 'ed25519') return undefined;
  if (type === 'ec')
    return CURVES.has(curve ?? '') ? undefined : `got an EC key on ${curve ?? 'no named curve'}; ${ALLOWED_KEYS}`;
  if (type !== 'rsa') return `got a key of type ${type ?? 'unknown'}; ${ALLOWED_KEYS}`;
  if (bits < RSA_BITS.least || bits > RSA_BITS.most) return `got an RSA key of ${bits} bits; ${ALLOWED_KEYS}`;
  if (exponent < RSA_EXPONENT.least || exponent > RSA_EXPONENT.most || exponent % 2n === 0n)
    return `got an RSA key with the exponent ${exponent}; an odd one from ${RSA_EXPONENT.least} to ${RSA_EXPONENT.most} is allowed`;
  return undefined;
}

export interface LifetimeQuestion {
  readonly askedMs: number;
  readonly nowMs: number;
  /** The end of the issuer, or of what stands above it where that is earlier. */
  readonly issuerEndMs: number;
  readonly defaultMs: number;
  readonly maxMs: number;
}

/**
 * When a certificate ends. As istiod: nothing, or less, asked is the default; more than MAX_WORKLOAD_CERT_TTL is refused, not
 * cut. Never later than its issuer: a chain is as good as its shortest part.
 */
export function endOf({ askedMs, nowMs, issuerEndMs, defaultMs, maxMs }: LifetimeQuestion): number | string {
  if (Number.isNaN(askedMs) || askedMs > maxMs)
    return `got a lifetime of ${Math.round(askedMs / 1_000)} s; at most ${Math.round(maxMs / 1_000)} s are allowed`;
  // X.509 counts in seconds.
  const end = Math.min(nowMs + (askedMs <= 0 ? defaultMs : Math.max(askedMs, 1_000)), issuerEndMs);
  return end - nowMs < 1_000 ? 'the issuer has no lifetime left' : end;
}

const DNS_NAME = /^(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+$/;
const IP_ADDRESS = /^[0-9A-Fa-f:.]+$/;

/** Why these names are not certified by the CA of that trust domain; undefined where they are. */
export function nameFault(names: CertificateNames, trustDomain: string): string | undefined {
  const { uris, dns = [], ips = [] } = names;
  if (uris.length + dns.length + ips.length === 0) return 'a certificate without a name is issued to nobody';
  // X.509-SVID §2: exactly one URI; a second one would be refused by every verifier.
  if (uris.length > 1) return `got ${uris.length} URIs; an X.509-SVID carries one`;
  const [uri] = uris;
  if (uri !== undefined) {
    const id = parseSpiffeId(uri);
    if (typeof id === 'string') return `got ${JSON.stringify(uri.slice(0, 256))}, which is no SPIFFE ID: ${id}`;
    if (id.trustDomain !== trustDomain || id.path === '' || id.uri !== uri)
      return `got ${JSON.stringify(uri.slice(0, 256))}; spiffe://${trustDomain}/PATH is certified here`;
  }
  const dnsFault = dns.find((name) => name.length > 253 || !DNS_NAME.test(name));
  if (dnsFault !== undefined) return `got ${JSON.stringify(dnsFault.slice(0, 256))}, which is no DNS name`;
  const ipFault = ips.find((ip) => !IP_ADDRESS.test(ip));
  return ipFault === undefined ? undefined : `got ${JSON.stringify(ipFault.slice(0, 64))}, which is no IP address`;
}
