import type { X509Certificate } from 'node:crypto';
import type { NameMatch } from '../model/tls.ts';
import { type CertificateFacts, factsOf } from './certificate.ts';
import { text, verifyChain } from './chain.ts';
import type { TrustBundles } from './identity.ts';
import { acceptsAny, describeMatches } from './names.ts';
import { type ReadBundles, readBundles } from './read-bundles.ts';
import { type Refusal, refuse } from './refusal.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';

export interface PeerTerms {
  /** As it came, leaf first; empty where the peer presented nothing. */
  readonly presented: readonly X509Certificate[];
  readonly bundles: TrustBundles;
  /** Our own trust domain first, then its aliases: they share its roots where they have none of their own. */
  readonly trustDomains: readonly string[];
  /** The peer must carry one of these names; empty: whoever the bundles vouch for. */
  readonly expected: readonly NameMatch[];
  /** What the peer is. */
  readonly purpose: 'server' | 'client';
  /** Wall clock. */
  readonly nowMs: number;
}

/** A peer that is who it says, by the roots of its own trust domain. */
export interface VerifiedPeer {
  readonly id: SpiffeId;
  /** Leaf first, root last. */
  readonly chain: readonly X509Certificate[];
}

/**
 * The one check of a mesh peer, for both directions (X.509-SVID §5): exactly one URI among its names, which is a SPIFFE
 * ID; a chain to the roots of that id's trust domain and of no other (gRFC A87); and a name that is expected. Reads names
 * from the certificate's DER: text made of them can be made to say something else.
 */
export function verifyPeer(terms: PeerTerms): VerifiedPeer | Refusal {
  const proven = knownProof(terms) ?? prove(terms);
  if ('refused' in proven) return proven;
  const { id, chain, names } = proven;
  const { expected } = terms;
  if (expected.length === 0 || acceptsAny(expected, names)) return { id, chain };
  return refuse('wrong-name', `${text(id.uri)} was presented, ${describeMatches(expected)} was expected`);
}

/** A leaf that bundles vouch for, whoever is expected. */
interface Proof extends VerifiedPeer {
  readonly names: CertificateFacts['names'];
}

function prove(terms: PeerTerms): Proof | Refusal {
  const { presented, purpose, nowMs, bundles } = terms;
  const [leaf] = presented;
  if (leaf === undefined)
    return refuse('no-certificate', `no certificate was presented, ${wanted(terms)} was expected`);
  const facts = factsOf(leaf);
  if (typeof facts === 'string')
    return refuse('malformed', `a certificate that cannot be read was presented: ${facts}`);
  const id = idOf(facts, leaf);
  if ('refused' in id) return id;
  const wrong = leafFault(facts, id);
  if (wrong !== undefined) return wrong;
  const { trustDomain } = id;
  const read = readBundles(bundles);
  const roots = rootsFor(trustDomain, read, terms.trustDomains);
  if (roots === undefined) {
    const known = bundles.trustDomains.map(text).join(', ') || 'none';
    return refuse('wrong-trust-domain', `${text(id.uri)} was presented, there are roots for trust domain ${known}`);
  }
  if (read.unreadable !== undefined)
    return refuse('chain-refused', `it cannot be told whether ${text(id.uri)} was revoked: ${read.unreadable}`);
  const chain = verifyChain({ presented, roots, trustDomain, purpose, revocation: read.revocation, nowMs });
  if ('refused' in chain) return chain;
  const proof = { id, chain, names: facts.names };
  keepProof(terms, proof);
  return proof;
}

interface KeptProof {
  readonly proof: Proof;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A bundle's proofs that are kept; half a millisecond of CPU each. */
const MOST_KEPT = 1_024;

const kept = new WeakMap<TrustBundles, Map<string, KeptProof>>();

/** The same leaf, the same bundles and lists, the same purpose: only time can change what was found. */
function knownProof(terms: PeerTerms): Proof | undefined {
  const found = kept.get(terms.bundles)?.get(proofKey(terms));
  if (found === undefined || !(terms.nowMs >= found.fromMs && terms.nowMs <= found.untilMs)) return undefined;
  return found.proof;
}

function keepProof(terms: PeerTerms, proof: Proof): void {
  const proofs = kept.get(terms.bundles) ?? new Map<string, KeptProof>();
  kept.set(terms.bundles, proofs);
  if (proofs.size >= MOST_KEPT) proofs.clear();
  const fromMs = Math.max(...proof.chain.map(({ validFromDate }) => validFromDate.getTime()));
  const untilMs = Math.min(...proof.chain.map(({ validToDate }) => validToDate.getTime()));
  proofs.set(proofKey(terms), { proof, fromMs, untilMs });
}

const proofKey = ({ presented, purpose, trustDomains }: PeerTerms): string =>
  `${purpose} ${trustDomains.join()} ${presented[0]?.raw.toString('latin1')}`;

const wanted = ({ expected, bundles }: PeerTerms): string =>
  expected.length > 0 ? describeMatches(expected) : `a SPIFFE ID of ${bundles.trustDomains.map(text).join(' or ')}`;

/** X.509-SVID §2: exactly one URI. A second one of any scheme leaves it open who the peer is. */
function idOf({ names }: CertificateFacts, leaf: X509Certificate): SpiffeId | Refusal {
  const uris = names.filter(({ type }) => type === 'uri').map(({ value }) => value);
  const [uri] = uris;
  if (uri === undefined) {
    const others = names.map(({ type, value }) => `${type} ${text(value)}`).slice(0, 8);
    const shown = others.length > 0 ? others.join(', ') : `subject ${text(leaf.subject)}`;
    return refuse('no-uri-san', `the certificate carries ${shown} and no URI; a SPIFFE ID was expected`);
  }
  if (uris.length > 1) {
    const shown = uris.slice(0, 4).map(text).join(' and ');
    return refuse(
      'several-uri-sans',
      `the certificate carries ${uris.length} URIs, ${shown}; exactly one was expected`,
    );
  }
  const id = parseSpiffeId(uri);
  return typeof id === 'string' ? refuse('not-spiffe', `${text(uri)} was presented, not a SPIFFE ID: ${id}`) : id;
}

/** X.509-SVID §4: a leaf signs nothing. One that may sign could make itself any name. */
function leafFault({ isCa, keyUsage }: CertificateFacts, { uri }: SpiffeId): Refusal | undefined {
  if (isCa) return refuse('is-ca', `the certificate of ${text(uri)} is a CA's (CA:TRUE), a leaf was expected`);
  if (keyUsage?.certSign === true || keyUsage?.crlSign === true)
    return refuse('is-ca', `the certificate of ${text(uri)} may sign certificates or lists, a leaf was expected`);
  return undefined;
}

/** MeshConfig.trustDomainAliases: names of the own trust domain, whose roots vouch for them. */
function rootsFor(
  trustDomain: string,
  bundles: ReadBundles,
  [own, ...aliases]: readonly string[],
): readonly X509Certificate[] | undefined {
  const roots = bundles.roots(trustDomain);
  if (roots !== undefined || own === undefined) return roots;
  return aliases.includes(trustDomain) ? bundles.roots(own) : undefined;
}
