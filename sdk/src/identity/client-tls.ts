import type { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions, SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import { MeshError } from '../errors.ts';
import type { UpstreamTls } from '../model/tls.ts';
import { type CheckTerms, checkPeer, openSslVerdict, presentedBy, presentedIn, type Secured } from './peer-check.ts';
import { peerRefused, type Refusal, refusalOfOpenSsl, refuse } from './refusal.ts';
import type { Material, Missing } from './tls-material.ts';

/** TLS towards one server, with one generation of certificate and roots. */
export interface ClientTls {
  /** Two connections with the same key may stand in for each other; another generation is another key. */
  readonly key: string;
  /** For `tls.connect`. No session is kept, so each connection verifies its peer. */
  readonly options: ConnectionOptions;
  /** Begins TLS on a connected socket with these options. On `secureConnect` ask `verify`; on `error` ask `refusal`. */
  open(raw: Socket): TLSSocket;
  /** To be asked once the connection is secure, before a byte is sent: who the server is, or why it is refused. */
  verify(socket: TLSSocket): Secured | MeshError;
  /** What an error of the socket says about the peer; undefined where it says nothing. Names who was refused if `open` was used. */
  refusal(error: unknown, socket?: TLSSocket): MeshError | undefined;
}

export interface ClientTlsParts {
  readonly tls: UpstreamTls;
  /** The name or address that was dialled. */
  readonly dialled: string;
  readonly key: string;
  readonly context: SecureContext;
  readonly trust: Material['trust']['kind'];
  material(): Material | Missing;
  readonly clock: Clock;
}

const wanted = (tls: UpstreamTls, dialled: string): string => tls.sni || dialled;

export function createClientTls(parts: ClientTlsParts): ClientTls {
  const { tls, dialled, trust, clock, context } = parts;
  const node = process.getBuiltinModule('node:tls');
  const isMesh = trust === 'mesh';
  const terms: CheckTerms = {
    side: 'server',
    expected: tls.subjectAltNames,
    isRequired: true,
    material: parts.material,
    // In the mesh a name is a SPIFFE ID, and the one that was dialled says nothing about it.
    ...(trust === 'roots' && { hostFault: (certificate) => hostFault(certificate, wanted(tls, dialled)) }),
  };
  /** What a server presented: Node shows it before its own check alone. */
  const shown = new WeakMap<TLSSocket, readonly X509Certificate[]>();
  const check = (certificates: readonly X509Certificate[], openSsl?: string) =>
    checkPeer({ certificates, openSsl }, terms, clock.wallTime());
  const name = isMesh ? (tls.sni ?? '') : wanted(tls, dialled);
  const options: ConnectionOptions = {
    secureContext: context,
    // An IP literal is verified but not sent (RFC 6066 §3).
    servername: isIP(name) === 0 ? name : '',
    ...(tls.alpn.length > 0 && { ALPNProtocols: [...tls.alpn] }),
    // Said outright: NODE_TLS_REJECT_UNAUTHORIZED is not to decide about the mesh.
    rejectUnauthorized: trust !== 'unchecked',
    checkServerIdentity(_, certificate) {
      const result = check(presentedIn(certificate));
      return result instanceof MeshError ? result : undefined;
    },
  };
  return {
    key: parts.key,
    options,
    open(raw) {
      const socket = node.connect({
        ...options,
        socket: raw,
        checkServerIdentity(_, certificate) {
          const presented = shown.get(socket) ?? presentedIn(certificate);
          shown.set(socket, presented);
          const result = check(presented);
          return result instanceof MeshError ? result : undefined;
        },
      });
      // Of a chain that OpenSSL refuses nothing is left to name afterwards; else Node itself reads it, a quarter of a millisecond.
      socket.prependOnceListener('secure', () => {
        if (openSslVerdict(socket) !== undefined) shown.set(socket, presentedBy(socket));
      });
      return socket;
    },
    verify(socket) {
      // Node asks for no names on a resumed session; none is ever offered.
      if (socket.isSessionReused()) return peerRefused('server', refuse('no-certificate', 'a TLS session was resumed'));
      return check(shown.get(socket) ?? presentedBy(socket), verdictOf(socket));
    },
    refusal(error, socket) {
      if (error instanceof MeshError) return error;
      const known = refusalOfOpenSsl(codeOf(error));
      if (known === undefined) return undefined;
      const presented = socket && shown.get(socket);
      const result = presented && check(presented, codeOf(error));
      return result instanceof MeshError ? result : peerRefused('server', known);
    },
  };
}

function hostFault(certificate: X509Certificate, name: string): Refusal | undefined {
  const { checkServerIdentity } = process.getBuiltinModule('node:tls');
  const fault = checkServerIdentity(name, certificate.toLegacyObject());
  return fault === undefined ? undefined : refuse('wrong-name', fault.message);
}

/** OpenSSL's verdict; undefined when the chain holds. */
export const verdictOf = ({ authorized, authorizationError }: TLSSocket): string | undefined =>
  authorized ? undefined : String(authorizationError ?? 'UNSPECIFIED');

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
