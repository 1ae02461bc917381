import type { Socket } from 'node:net';
import type { Server, TLSSocket, TlsOptions } from 'node:tls';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { DownstreamTls } from '../model/tls.ts';
import { verdictOf } from './client-tls.ts';
import { type CheckTerms, checkPeer, presentedBy, type Secured } from './peer-check.ts';
import { peerRefused, refuse } from './refusal.ts';
import { contextOptions, type Material, type Missing } from './tls-material.ts';

/** For each accepted connection exactly one of them is called. */
export interface AcceptListener {
  /** The handshake is over and the client was verified: the socket may be used. */
  secured(socket: TLSSocket, client: Secured): void;
  /** The client was refused, or spoke no TLS that we do. The connection is closed already. */
  refused(error: MeshError, remote: Remote): void;
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
  readonly clock: Clock;
}

export function createTlsAcceptor(parts: AcceptorParts): TlsAcceptor {
  const { tls, material } = parts;
  let server: Server | undefined;
  let stamp: string | undefined;
  return {
    accept(raw) {
      const now = material();
      if ('missing' in now) return now;
      if (server === undefined) server = createServer(parts, now);
      // Connections that stand keep the context they began with.
      else if (stamp !== now.stamp) server.setSecureContext(contextOptions(tls, now));
      stamp = now.stamp;
      server.emit('connection', raw);
      return undefined;
    },
  };
}

/** A server that never listens: Node gives OpenSSL's verdict on a client to nobody else. */
function createServer({ tls, on, material, clock }: AcceptorParts, now: Material): Server {
  const { createServer } = process.getBuiltinModule('node:tls');
  const { requireClientCertificate: isRequired, subjectAltNames: expected } = tls;
  const terms: CheckTerms = { side: 'client', expected, isRequired, material };
  const server = createServer(serverOptions(tls, now));
  server.on('secureConnection', (socket) => {
    const result = socket.isSessionReused()
      ? peerRefused('client', refuse('no-certificate', 'a TLS session was resumed'))
      : checkPeer({ certificates: presentedBy(socket), openSsl: verdictOf(socket) }, terms, clock.wallTime());
    if (!(result instanceof MeshError)) return on.secured(socket, result);
    const remote = remoteOf(socket);
    // It ends with a reset as often as not; the refusal is the error that counts.
    socket.on('error', () => {});
    socket.destroy();
    on.refused(result, remote);
  });
  server.on('tlsClientError', (error, socket) => {
    const remote = remoteOf(socket);
    socket.destroy();
    on.refused(handshakeFailed(error), remote);
  });
  return server;
}

function serverOptions(tls: DownstreamTls, now: Material): TlsOptions {
  const asks = tls.requireClientCertificate || now.trust.kind === 'mesh' || tls.subjectAltNames.length > 0;
  return {
    ...contextOptions(tls, now),
    requestCert: asks,
    // `secureConnection` above decides, by OpenSSL's verdict too: left to itself Node closes the connection and says
    // neither whom it refused nor why, and has no way to make the certificate optional.
    rejectUnauthorized: false,
    handshakeTimeout: defaultOf('tlsHandshakeTimeoutMs'),
    ...(tls.alpn.length > 0 && { ALPNProtocols: [...tls.alpn] }),
  };
}

const remoteOf = ({ remoteAddress: address, remotePort: port }: Socket): Remote => ({ address, port });

const handshakeFailed = (error: Error): MeshError =>
  new MeshError('MESH_CONNECT_FAILED', `the client's TLS handshake failed: ${error.message}`, { cause: error });
