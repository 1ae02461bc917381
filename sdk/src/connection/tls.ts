import { isIP, type Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import type { UpstreamTls } from '../model/cluster.ts';
import { rootsIn } from './roots.ts';

/** Whom to expect behind a TLS connection. */
export interface TlsTarget {
  /** Server name to ask for and to verify. An IP literal is verified but not sent (RFC 6066 §3). */
  readonly name: string;
  /** Protocols to offer; none where empty. */
  readonly alpn: readonly string[];
  /** Names or URIs of which the certificate must carry one, in place of `name` (Istio ClientTLSSettings.subjectAltNames). */
  readonly subjectAltNames: readonly string[];
  /** A file of CA certificates to verify against, and against no others; the platform's roots where undefined. */
  readonly roots?: string;
}

/** TLS as a cluster asks for it. Where it names no server, the one that was dialled is expected. */
export const tlsToCluster = (tls: UpstreamTls, dialled: string, alpn: readonly string[]): TlsTarget => ({
  name: tls.sni || dialled,
  alpn,
  subjectAltNames: tls.subjectAltNames,
  ...(tls.roots !== undefined && { roots: tls.roots }),
});

/** Two connections with the same text may stand in for each other. */
export const tlsKey = ({ name, alpn, subjectAltNames, roots = '' }: TlsTarget): string =>
  `${name}|${alpn.join()}|${subjectAltNames.join()}|${roots}`;

/** Loaded with the first TLS connection. No session is kept: each connection verifies the peer anew. */
export function openTls(where: { readonly socket: Socket }, target: TlsTarget): Socket {
  const tls = process.getBuiltinModule('node:tls');
  const { name, alpn, subjectAltNames, roots } = target;
  const check = (wanted: string, certificate: PeerCertificate): Error | undefined =>
    hasUri(certificate, wanted) ? undefined : tls.checkServerIdentity(wanted, certificate);
  return tls.connect({
    ...where,
    servername: isIP(name) === 0 ? name : '',
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    ...(roots !== undefined && { secureContext: rootsIn(roots) }),
    checkServerIdentity(_, certificate) {
      if (subjectAltNames.length === 0) return tls.checkServerIdentity(name, certificate);
      const errors = subjectAltNames.map((wanted) => check(wanted, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  });
}

const hasUri = ({ subjectaltname }: PeerCertificate, uri: string): boolean =>
  subjectaltname?.split(', ').includes(`URI:${uri}`) ?? false;
