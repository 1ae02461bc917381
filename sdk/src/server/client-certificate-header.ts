import type { X509Certificate } from 'node:crypto';
import { factsOf } from '../identity/certificate.ts';
import type { ForwardClientCertificate } from '../model/inbound.ts';

/** Both ends of a connection of mutual TLS. */
export interface CertificatePair {
  readonly own: X509Certificate | undefined;
  readonly peer: X509Certificate;
  /** Of the peer, leaf first, as far as it is known. */
  readonly chain: readonly X509Certificate[];
}

/**
 * One element of x-forwarded-client-cert, with keys and their order as Envoy writes them (ConnectionManagerUtility::
 * mutateXfccRequestHeader): By and Hash always; Cert, Chain, Subject, URI, DNS as asked for. A URI is not quoted, an absent
 * one leaves `URI=`; Subject, Cert and Chain always are.
 */
export function clientCertificateElement(
  { own, peer, chain }: CertificatePair,
  parts: ForwardClientCertificate['parts'],
): string {
  const uris = namesOf(peer, 'uri');
  return [
    ...(own === undefined ? [] : namesOf(own, 'uri').map((uri) => `By=${uri}`)),
    `Hash=${peer.fingerprint256.replaceAll(':', '').toLowerCase()}`,
    ...(parts.has('cert') ? [`Cert="${encodePem([peer])}"`] : []),
    ...(parts.has('chain') ? [`Chain="${encodePem(withoutRoot(chain))}"`] : []),
    ...(parts.has('subject') ? [`Subject="${rfc2253(peer.subject)}"`] : []),
    ...(parts.has('uri') ? (uris.length > 0 ? uris : ['']).map((uri) => `URI=${uri}`) : []),
    ...(parts.has('dns') ? namesOf(peer, 'dns').map((name) => `DNS=${name}`) : []),
  ].join(';');
}

/** What the request carries from now on; undefined: it carries none. `sent`: what came, repeats joined by a comma. */
export function forwardedClientCertificate(
  { mode }: ForwardClientCertificate,
  sent: string | undefined,
  element: string | undefined,
): string | undefined {
  if (mode === 'ALWAYS_FORWARD_ONLY') return sent;
  // Without a certificate of the client whatever it says of certificates is removed.
  if (mode === 'SANITIZE' || element === undefined) return undefined;
  if (mode === 'FORWARD_ONLY') return sent;
  return mode === 'APPEND_FORWARD' && sent !== undefined && isWhole(sent) ? `${sent},${element}` : element;
}

/**
 * A quote that is left open would take the element behind it for its own, and an element of the peer's making would be the last one,
 * which is believed. Open to those who know `\"` and to those who do not.
 */
function isWhole(sent: string): boolean {
  const isClosed = (text: string): boolean => text.split('"').length % 2 === 1;
  const unescaped = sent.replace(/\\./g, '');
  return sent !== '' && isClosed(sent) && isClosed(unescaped) && !unescaped.endsWith('\\');
}

function namesOf(certificate: X509Certificate, type: 'uri' | 'dns'): readonly string[] {
  const facts = factsOf(certificate);
  // A name is the peer's own text: what would end the element or the header does not get into it.
  return typeof facts === 'string'
    ? []
    : facts.names
        .filter((name) => name.type === type)
        .map(({ value }) => value.replace(/[^\x21-\x7e]|[",;\\]/g, encodeURIComponent));
}

/**
 * Node's subject has the attributes escaped as RFC 2253 does, one name a line, in the certificate's order; RFC 2253 §2.1 wants the
 * last first, and Envoy (XN_FLAG_RFC2253) turns the values of one name round as well.
 */
function rfc2253(subject: string | undefined): string {
  const names = (subject ?? '').split('\n').filter((line) => line !== '');
  const bytes = (text: string): string =>
    [...Buffer.from(text)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  return names
    .reverse()
    .map((name) => name.split(' + ').reverse().join('+'))
    .join(',')
    .replace(/[^\x20-\x7e]/gu, bytes);
}

/** What Node tells of a chain ends in our own root, whether it was presented or not. */
const withoutRoot = (chain: readonly X509Certificate[]): readonly X509Certificate[] =>
  chain.filter((certificate, at) => at === 0 || certificate.subject !== certificate.issuer);

/** PEM, URL-encoded as Envoy does: all that is not unreserved. */
const encodePem = (certificates: readonly X509Certificate[]): string =>
  encodeURIComponent(certificates.map((certificate) => certificate.toString()).join(''));
