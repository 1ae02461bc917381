import { isIP, type Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';

/** Whom to expect behind a TLS connection; verified against the platform's roots. */
export interface TlsTarget {
  /** Server name to ask for and to verify. An IP literal is verified but not sent (RFC 6066 §3). */
  readonly name: string;
  readonly alpn: readonly string[];
  /** Names or URIs of which the certificate must carry one, in place of `name` (Istio ClientTLSSettings.subjectAltNames). */
  readonly subjectAltNames: readonly string[];
}

/** Two connections with the same text may stand in for each other. */
export const tlsKey = ({ name, alpn, subjectAltNames }: TlsTarget): string =>
  `${name}|${alpn.join()}|${subjectAltNames.join()}`;

type Where = { readonly host: string; readonly port: number } | { readonly path: string };

/** Loaded with the first TLS connection. No session is kept: each connection verifies the peer anew. */
export function openTls(where: Where, target: TlsTarget): Socket {
  const tls = process.getBuiltinModule('node:tls');
  const { name, alpn, subjectAltNames } = target;
  const check = (wanted: string, certificate: PeerCertificate): Error | undefined =>
    hasUri(certificate, wanted) ? undefined : tls.checkServerIdentity(wanted, certificate);
  return tls.connect({
    ...where,
    servername: isIP(name) === 0 ? name : '',
    ALPNProtocols: alpn.length === 0 ? ['http/1.1'] : [...alpn],
    checkServerIdentity(_, certificate) {
      if (subjectAltNames.length === 0) return tls.checkServerIdentity(name, certificate);
      const errors = subjectAltNames.map((wanted) => check(wanted, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  });
}

const hasUri = ({ subjectaltname }: PeerCertificate, uri: string): boolean =>
  subjectaltname?.split(', ').includes(`URI:${uri}`) ?? false;
