import type { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { MeshError } from '../errors.ts';
import type { NameMatch } from '../model/tls.ts';
import { certificateOf, factsOf } from './certificate.ts';
import { describe } from './chain.ts';
import { acceptsAny, describeMatches } from './names.ts';
import { peerRefused, type Refusal, refusalOfOpenSsl, refuse } from './refusal.ts';
import type { SpiffeId } from './spiffe-id.ts';
import type { Material, Missing } from './tls-material.ts';
import { verifyPeer } from './verify-peer.ts';

/** A peer that was taken. */
export interface Secured {
  /** Of a peer in the mesh. */
  readonly peer?: SpiffeId;
  /** The leaf; undefined: the peer presented none, and needed none. */
  readonly certificate?: X509Certificate;
  /** As presented, leaf first. */
  readonly presented: readonly X509Certificate[];
  /**
   * Asks again, by the bundles and revocation lists of this moment but by the time of the handshake: a certificate that
   * has expired since was good when the connection began. Who is refused now is to be closed.
   */
  recheck(): MeshError | undefined;
}

export interface CheckTerms {
  /** What the peer is. */
  readonly side: 'server' | 'client';
  readonly expected: readonly NameMatch[];
  /** A server may be without one where the configuration does not ask for it. */
  readonly isRequired: boolean;
  /** Only of our own trust domain and what counts as the same. */
  readonly ownTrustDomain?: boolean | undefined;
  /** As it is now. */
  material(): Material | Missing;
  /** A server outside the mesh without a list of names: what is wrong with its certificate for the name that was asked for. */
  hostFault?(certificate: X509Certificate): Refusal | undefined;
}

/** `openSsl`: the code of its verdict on the chain; undefined: it holds, or is not known yet. */
export interface Presented {
  readonly certificates: readonly X509Certificate[];
  readonly openSsl: string | undefined;
}

/** The one decision on the other end of a TLS connection, mesh or not. */
export function checkPeer(presented: Presented, terms: CheckTerms, nowMs: number): Secured | MeshError {
  const verdict = judge(presented, terms, nowMs);
  if ('refused' in verdict) return peerRefused(terms.side, verdict);
  const { certificates } = presented;
  return {
    ...verdict,
    ...(certificates[0] !== undefined && { certificate: certificates[0] }),
    presented: certificates,
    recheck() {
      const again = judge(presented, terms, nowMs);
      return 'refused' in again ? peerRefused(terms.side, again) : undefined;
    },
  };
}

function judge({ certificates, openSsl }: Presented, terms: CheckTerms, nowMs: number): { peer?: SpiffeId } | Refusal {
  const [leaf] = certificates;
  if (leaf === undefined && !terms.isRequired) return {};
  const material = terms.material();
  if ('missing' in material) return refuse('unknown-root', `there is nothing to verify it by: ${material.missing}`);
  const { trust } = material;
  const { expected, side: purpose } = terms;
  if (trust.kind === 'mesh') {
    const refused = largeFault(certificates, openSsl);
    if (refused !== undefined) return refused;
    // First, because it says best what is wrong; OpenSSL's verdict counts all the same.
    const verified = verifyPeer({ ...trust, presented: certificates, expected, purpose, nowMs });
    if ('refused' in verified) return verified;
    const { uri, trustDomain } = verified.id;
    if (terms.ownTrustDomain === true && !trust.trustDomains.includes(trustDomain))
      return refuse('wrong-trust-domain', `${uri} was presented, ${trust.trustDomains.join(' or ')} is taken here`);
    return (openSsl === NO_VERDICT ? undefined : openSslFault(openSsl, leaf)) ?? { peer: verified.id };
  }
  if (leaf === undefined) return refuse('no-certificate', 'no certificate was presented');
  return (trust.kind === 'unchecked' ? undefined : openSslFault(openSsl, leaf)) ?? nameFault(leaf, terms) ?? {};
}

/** X.509-SVIDs have about 1 KiB. */
const LARGEST_READ = 8_192;

/** A stranger's certificate may be of 100 KiB, and 0.2 s of reading: OpenSSL, which has read it already, is believed there. */
function largeFault(certificates: readonly X509Certificate[], openSsl: string | undefined): Refusal | undefined {
  if (openSsl === undefined || openSsl === NO_VERDICT) return undefined;
  const largest = Math.max(0, ...certificates.map(({ raw }) => raw.length));
  if (largest <= LARGEST_READ) return undefined;
  const why = refusalOfOpenSsl(openSsl)?.refused ?? 'chain-refused';
  return refuse(why, `a certificate of ${largest} bytes was refused by OpenSSL: ${openSsl}`);
}

function openSslFault(code: string | undefined, leaf: X509Certificate | undefined): Refusal | undefined {
  if (code === undefined) return undefined;
  const whose = leaf === undefined ? 'the chain' : describe(leaf);
  return refuse(refusalOfOpenSsl(code)?.refused ?? 'chain-refused', `${whose} was refused by OpenSSL: ${code}`);
}

function nameFault(leaf: X509Certificate, { expected, hostFault }: CheckTerms): Refusal | undefined {
  if (expected.length === 0) return hostFault?.(leaf);
  const facts = factsOf(leaf);
  if (typeof facts === 'string') return refuse('malformed', `its certificate cannot be read: ${facts}`);
  if (acceptsAny(expected, facts.names)) return undefined;
  const shown = facts.names.slice(0, 8).map(({ type, value }) => `${type} ${JSON.stringify(value.slice(0, 256))}`);
  return refuse(
    'wrong-name',
    `${shown.join(', ') || 'no name'} was presented, ${describeMatches(expected)} was expected`,
  );
}

const MOST = 20;

/**
 * What the other end presented, leaf first, and what of it leads to a root. Not by `getPeerX509Certificate`: that one eats
 * the connection's chain (nodejs/node 65579), and the next to ask finds none.
 */
export const presentedBy = (socket: TLSSocket): X509Certificate[] => presentedIn(socket.getPeerCertificate(true));

/** The same from what `checkServerIdentity` is given. */
export function presentedIn(certificate: Partial<DetailedPeerCertificate>): X509Certificate[] {
  const seen: Buffer[] = [];
  let next: Partial<DetailedPeerCertificate> | undefined = certificate;
  while (next?.raw !== undefined && seen.length < MOST) {
    const { raw } = next;
    // A root is its own issuer.
    if (seen.some((one) => one.equals(raw))) break;
    seen.push(raw);
    next = next.issuerCertificate;
  }
  return seen.map(certificateOf);
}

/** In place of a verdict where Node tells none. */
export const NO_VERDICT = 'NO_VERDICT';

/**
 * OpenSSL's verdict on the other end's chain, by all roots of its context together; undefined when it holds. A server's socket
 * that no `tls.Server` made tells it by no documented way: in the mesh it is a second opinion beside `verifyPeer`, elsewhere
 * nobody is taken without it.
 */
export function openSslVerdict(socket: TLSSocket): string | undefined {
  const { ssl } = socket as { ssl?: { verifyError?(): { code?: string } | null | undefined } | null };
  if (typeof ssl?.verifyError !== 'function') return NO_VERDICT;
  const error = ssl.verifyError();
  return error === null || error === undefined ? undefined : (error.code ?? 'UNSPECIFIED');
}
