import type { X509Certificate } from 'node:crypto';
import { factsOf } from './certificate.ts';
import { strengthFault } from './key-strength.ts';
import { constraintFault } from './name-constraints.ts';
import { type Refusal, refuse } from './refusal.ts';
import { isRevoked, type RevocationList } from './revocation.ts';

/** Certificates a peer may present, and links a chain may have: a peer decides how much work it makes. */
const MOST_PRESENTED = 10;

export interface ChainTerms {
  /** Leaf first, in any order after it. */
  readonly presented: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
  /** For messages. */
  readonly trustDomain: string;
  readonly purpose: 'server' | 'client';
  readonly revocation: readonly RevocationList[];
  /** Wall clock. */
  readonly nowMs: number;
}

/**
 * A chain from the leaf to one of the roots, each link signed by the next, may-sign rights, validity, purpose and
 * revocation checked at every link (RFC 5280 §6.1, in what X.509-SVID §5 asks for); leaf first, root last.
 * Where several chains exist the first that holds; where none holds, what is wrong with the one that came farthest.
 */
export function verifyChain(terms: ChainTerms): readonly X509Certificate[] | Refusal {
  const { presented, trustDomain } = terms;
  const [leaf, ...rest] = presented;
  if (leaf === undefined) return refuse('no-certificate', 'no certificate was presented');
  if (presented.length > MOST_PRESENTED) {
    return refuse('chain-refused', `${presented.length} certificates were presented, ${MOST_PRESENTED} are read`);
  }
  const search = new Search(terms, rest);
  const found = search.from([leaf]);
  if (found !== undefined) return found;
  if (search.nearest !== undefined) return search.nearest;
  const subject = describe(leaf);
  return isSelfSigned(leaf)
    ? refuse('self-signed', `${subject} is signed by its own key, not by a root of trust domain ${trustDomain}`)
    : refuse('unknown-root', `${subject} does not lead to a root of trust domain ${trustDomain}`);
}

class Search {
  readonly #terms: ChainTerms;
  readonly #rest: readonly X509Certificate[];
  /** What is wrong with a chain that does lead to a root. */
  nearest: Refusal | undefined;
  #steps = 0;

  constructor(terms: ChainTerms, rest: readonly X509Certificate[]) {
    this.#terms = terms;
    this.#rest = rest;
  }

  /** Depth first, roots before intermediates; certificates never stand in a chain twice. */
  from(chain: readonly X509Certificate[]): readonly X509Certificate[] | undefined {
    const last = chain.at(-1);
    if (last === undefined) return undefined;
    for (const root of this.#terms.roots) {
      if (!isIssuedBy(last, root)) continue;
      const whole = [...chain, root];
      const wrong = chainFault(whole, this.#terms);
      if (wrong === undefined) return whole;
      this.nearest ??= wrong;
    }
    for (const next of this.#rest) {
      // Cross-signed certificates make many paths; each signature that is checked counts.
      if (chain.some((link) => link.fingerprint256 === next.fingerprint256) || ++this.#steps > 100) continue;
      if (!isIssuedBy(last, next)) continue;
      const found = this.from([...chain, next]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** The first fault of a chain whose signatures hold. */
function chainFault(chain: readonly X509Certificate[], terms: ChainTerms): Refusal | undefined {
  for (const [at, certificate] of chain.entries()) {
    const issuer = chain[at + 1];
    const wrong =
      (at === 0 ? undefined : issuerFault(certificate, at - 1)) ??
      timeFault(certificate, terms.nowMs) ??
      purposeFault(certificate, at === 0, terms.purpose) ??
      strengthRefusal(certificate, issuer === undefined) ??
      (at === 0 ? undefined : constraintRefusal(certificate, chain[0])) ??
      (issuer !== undefined && isRevoked(certificate, issuer, terms.revocation)
        ? refuse('revoked', `${describe(certificate)} was revoked by ${text(issuer.subject)}`)
        : undefined);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** RFC 5280 §6.1.4 (k)–(n). `below`: the intermediates between it and the leaf. */
function issuerFault(certificate: X509Certificate, below: number): Refusal | undefined {
  const facts = factsOf(certificate);
  const subject = describe(certificate);
  if (typeof facts === 'string') return refuse('malformed', `${subject}: ${facts}`);
  if (!facts.isCa) return refuse('issuer-not-ca', `${subject} signed another certificate and is no CA (CA:FALSE)`);
  if (facts.keyUsage?.certSign === false)
    return refuse('issuer-not-ca', `${subject} signed another certificate without the key usage keyCertSign`);
  if (facts.pathLength !== undefined && below > facts.pathLength)
    return refuse('path-too-long', `${subject} allows ${facts.pathLength} intermediates below it, there are ${below}`);
  return undefined;
}

/** No tolerance, as OpenSSL, Envoy and ztunnel have none: who issues dates back instead, and rotates at half-life. */
function timeFault(certificate: X509Certificate, nowMs: number): Refusal | undefined {
  const from = certificate.validFromDate;
  const until = certificate.validToDate;
  // NaN compares false both ways.
  if (!(nowMs <= until.getTime()))
    return refuse('expired', `${describe(certificate)} expired at ${isoTime(until)}, now it is ${isoTime(nowMs)}`);
  if (!(nowMs >= from.getTime()))
    return refuse(
      'not-yet-valid',
      `${describe(certificate)} is valid from ${isoTime(from)}, now it is ${isoTime(nowMs)}`,
    );
  return undefined;
}

const EXTENDED_KEY_USAGE = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';

/** An issuer's extended key usages bound what it signs for, as OpenSSL has it; the leaf's are its own (X.509-SVID §4.4). */
function purposeFault(
  certificate: X509Certificate,
  isLeaf: boolean,
  purpose: 'server' | 'client',
): Refusal | undefined {
  const facts = factsOf(certificate);
  const subject = describe(certificate);
  if (typeof facts === 'string') return refuse('malformed', `${subject}: ${facts}`);
  const { extendedKeyUsage: uses, keyUsage, unknownCritical } = facts;
  if (unknownCritical.length > 0)
    return refuse('wrong-usage', `${subject} has a critical extension that is not understood: ${unknownCritical[0]}`);
  const wanted = EXTENDED_KEY_USAGE[purpose];
  if (uses !== undefined && !uses.includes(wanted) && !(uses.includes(ANY_EXTENDED_KEY_USAGE) && !isLeaf))
    return refuse('wrong-usage', `${subject} is for ${uses.join(', ')}, not for a TLS ${purpose} (${wanted})`);
  if (isLeaf && keyUsage?.digitalSignature === false)
    return refuse('wrong-usage', `${subject} lacks the key usage digitalSignature`);
  return undefined;
}

function strengthRefusal(certificate: X509Certificate, isRoot: boolean): Refusal | undefined {
  const fault = strengthFault(certificate, isRoot);
  return fault === undefined ? undefined : refuse('chain-refused', `${describe(certificate)} ${fault}`);
}

function constraintRefusal(issuer: X509Certificate, leaf: X509Certificate | undefined): Refusal | undefined {
  const facts = factsOf(issuer);
  const names = leaf && factsOf(leaf);
  if (typeof facts === 'string' || names === undefined || typeof names === 'string') return undefined;
  const fault = facts.constraints && constraintFault(facts.constraints, names.names);
  return fault === undefined ? undefined : refuse('chain-refused', `${describe(issuer)} ${fault}`);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key OpenSSL does not know.
    return false;
  }
}

/** By name and key; what its key usage allows does not matter here. */
function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

function isoTime(at: Date | number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString();
}

/** For messages: what a peer presents is shown on one line and not without end. */
export const text = (value: string | undefined): string => JSON.stringify((value ?? '').slice(0, 256));

export function describe(certificate: X509Certificate): string {
  const facts = factsOf(certificate);
  const uri = typeof facts === 'string' ? undefined : facts.names.find(({ type }) => type === 'uri')?.value;
  const name = uri === undefined ? text(certificate.subject) : text(uri);
  return `the certificate of ${name} (serial ${certificate.serialNumber.slice(0, 40)})`;
}
