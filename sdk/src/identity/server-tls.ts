import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { DownstreamTls } from '../model/tls.ts';
import { type CheckTerms, checkPeer, openSslVerdict, presentedBy, type Secured } from './peer-check.ts';
import { peerRefused, refuse } from './refusal.ts';
import type { Material, Missing } from './tls-material.ts';

/** For each accepted connection exactly one of them is called; `raw` is what was accepted. */
export interface AcceptListener {
  /** The handshake is over and the client was verified: the socket may be used. */
  secured(socket: TLSSocket, client: Secured, raw: Socket): void;
  /** The client was refused, spoke no TLS that we do, or left. The connection is closed already. */
  refused(error: MeshError, remote: Remote, raw: Socket): void;
  /**
   * Instead, where it is there and TLS itself has succeeded: the client was refused, and is told so in the protocol above, since
   * TLS has no word for it after the handshake. Nothing that the connection asks for may be done in its name.
   */
  unverified?(socket: TLSSocket, error: MeshError, raw: Socket): void;
}

/** Whose connection it was. */
export interface Remote {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

/** The server's end of TLS: raw connections in, verified clients out. */
export interface TlsAcceptor {
  /**
   * Begins TLS on a connection, with the certificate and roots of this moment. What was read from it to tell TLS from
   * plain text must have been put back by `unshift`. Says what is missing, and leaves the connection alone, where there
   * is nothing to present.
   */
  accept(raw: Socket): Missing | undefined;
}

export interface AcceptorParts {
  readonly tls: DownstreamTls;
  readonly on: AcceptListener;
  material(): Material | Missing;
  /** The context of this material. */
  context(material: Material): SecureContext | Missing;
  readonly clock: Clock;
}

export function createTlsAcceptor(parts: AcceptorParts): TlsAcceptor {
  return {
    accept(raw) {
      const material = parts.material();
      if ('missing' in material) return material;
      const context = parts.context(material);
      if ('missing' in context) return context;
      handshake(raw, context, asksFor(parts.tls, material), parts);
      return undefined;
    },
  };
}

/** A client's certificate is asked for where it could be verified; without one it is refused only where one is required. */
const asksFor = ({ requireClientCertificate, subjectAltNames }: DownstreamTls, { trust }: Material): boolean =>
  requireClientCertificate || trust.kind === 'mesh' || subjectAltNames.length > 0;

/** Not a tls.Server: from Node 24.21 on one eats the intermediates of a client's chain before anyone sees them. */
function handshake(
  raw: Socket,
  secureContext: SecureContext,
  requestCert: boolean,
  { tls, on, material, clock }: AcceptorParts,
): void {
  const node = process.getBuiltinModule('node:tls');
  const { requireClientCertificate: isRequired, subjectAltNames: expected, ownTrustDomain } = tls;
  const remote: Remote = { address: raw.remoteAddress, port: raw.remotePort };
  const terms: CheckTerms = { side: 'client', expected, isRequired, ownTrustDomain, material };
  // OpenSSL ends the handshake, with TLS's own alert, where a certificate is required and none came.
  const socket = new node.TLSSocket(raw, {
    isServer: true,
    secureContext,
    requestCert,
    rejectUnauthorized: isRequired,
    ...(tls.alpn.length > 0 && { ALPNProtocols: [...tls.alpn] }),
  });
  let isOver = false;
  let failure: Error | undefined;
  const timer = clock.after(defaultOf('tlsHandshakeTimeoutMs'), () => refused(handshakeFailed('it took too long')));

  function refused(error: MeshError): void {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    socket.destroy();
    on.refused(error, remote, raw);
  }

  // Such a socket tells its TLS errors, during the handshake and after it, by this event alone.
  socket.on('_tlsError', (error: Error) => {
    if (isOver) socket.destroy(error);
    else failure = error;
  });
  // For what fails while nobody else listens; whoever gets the socket adds a listener.
  socket.on('error', (error: Error) => {
    failure ??= error;
  });
  socket.once('close', () => {
    if (!isOver) refused(refusalOfHandshake(failure));
  });
  // On a port that lets connections be half open, as those of node:http, the end alone closes nothing.
  socket.once('end', () => refused(refusalOfHandshake(failure)));
  socket.once('secure', () => {
    if (isOver) return;
    // Node takes a resumed session for the client it once was; no session can be resumed here, and none would be taken.
    if (socket.isSessionReused())
      return refused(peerRefused('client', refuse('no-certificate', 'a session was resumed')));
    const certificates = requestCert ? presentedBy(socket) : [];
    const result = checkPeer({ certificates, openSsl: openSslVerdict(socket) }, terms, clock.wallTime());
    if (result instanceof MeshError && on.unverified === undefined) return refused(result);
    isOver = true;
    timer.cancel();
    const isRefused = result instanceof MeshError;
    socket.authorized = certificates.length > 0 && !isRefused;
    // A tls.Server does so for its sockets; as long as it is true Node's HTTP/2 waits for the handshake that is over.
    Reflect.set(socket, 'secureConnecting', false);
    if (isRefused) on.unverified?.(socket, result, raw);
    else on.secured(socket, result, raw);
  });
}

function refusalOfHandshake(failure: Error | undefined): MeshError {
  const code = failure !== undefined && 'code' in failure ? failure.code : undefined;
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return peerRefused('client', refuse('no-certificate', 'no certificate was presented, one is required'));
  return handshakeFailed(failure?.message ?? 'the client closed the connection', failure);
}

const handshakeFailed = (why: string, cause?: Error): MeshError =>
  new MeshError('MESH_CONNECT_FAILED', `the TLS handshake of a client failed: ${why}`, { flag: 'DC', cause });
