import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { MeshError } from '../errors.ts';
import { certificateOf } from '../identity/certificate.ts';
import type { Secured } from '../identity/peer-check.ts';
import type { TlsAcceptor } from '../identity/server-tls.ts';
import type { TlsContexts } from '../identity/tls-contexts.ts';
import type { ForwardClientCertificate } from '../model/inbound.ts';
import type { DownstreamTls } from '../model/tls.ts';
import { clientCertificateElement, forwardedClientCertificate } from './client-certificate-header.ts';
import type { GuardedConnection } from './connection.ts';
import { tag } from './connections.ts';
import { type Peer, setPeer } from './peer.ts';
import type { HeaderRule } from './request-headers.ts';

/** Which protocols the application's server speaks on a connection that is decrypted already. */
export interface Spoken {
  readonly http1: boolean;
  readonly http2: boolean;
}

export interface TerminatorParts {
  readonly contexts: Pick<TlsContexts, 'server'>;
  readonly spoken: Spoken;
  /** The peer is verified, and its connection ready for HTTP. */
  taken(connection: GuardedConnection, socket: TLSSocket): void;
  /** It is closed already. */
  refused(error: MeshError, remoteAddress: string | undefined): void;
}

const HTTP2 = ['h2', 'istio-h2'];
const HTTP1 = ['http/1.1', 'istio-http/1.1', 'istio-http/1.0', 'http/1.0'];
/** Of the mesh, with whatever the port speaks. */
const ANY = ['istio', 'istio-peer-exchange'];

/** Ends TLS of the mesh. */
export class Terminator {
  readonly #parts: TerminatorParts;
  readonly #connections = new WeakMap<object, GuardedConnection>();
  /** By the settings' object: those of a chain stay the same until the configuration changes. */
  readonly #acceptors = new WeakMap<DownstreamTls, TlsAcceptor>();

  constructor(parts: TerminatorParts) {
    this.#parts = parts;
  }

  /** What is missing for it; undefined: it has begun. */
  accept(connection: GuardedConnection, settings: DownstreamTls): string | undefined {
    this.#connections.set(connection.socket, connection);
    return this.#acceptorOf(settings).accept(connection.socket)?.missing;
  }

  #acceptorOf(settings: DownstreamTls): TlsAcceptor {
    const known = this.#acceptors.get(settings);
    if (known !== undefined) return known;
    const { contexts, spoken, refused } = this.#parts;
    const alpn = protocolsOf(spoken, settings.alpn);
    const acceptor = contexts.server(
      { ...settings, alpn },
      {
        secured: (socket, client, raw) => this.#secured(socket, client, raw),
        refused: (error, { address }) => refused(error, address),
      },
    );
    this.#acceptors.set(settings, acceptor);
    return acceptor;
  }

  #secured(socket: TLSSocket, client: Secured, raw: Socket): void {
    const connection = this.#connections.get(raw);
    if (connection?.chain === undefined) {
      socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    if (client.peer !== undefined) setPeer(socket, peerFrom(client.peer));
    tag(socket, connection);
    connection.secured = { socket, client };
    connection.rule = ruleOf(socket, client, connection);
    this.#parts.taken(connection, socket);
  }
}

/** TLS over a socket that is there already: Node keeps that one as `_parent`. */
export const rawOf = (socket: Socket): object | undefined => (socket as { readonly _parent?: object })._parent;

/**
 * In the order of preference: the server's counts, and the names of HTTP come before those of Istio, as Envoy lists them.
 * `configured` empty: any. Never empty: a client that offers none is served, one that offers others is refused by Node.
 */
export function protocolsOf({ http1, http2 }: Spoken, configured: readonly string[]): string[] {
  const may = (name: string): boolean => configured.length === 0 || configured.includes(name);
  const names = [...(http2 && may('h2') ? HTTP2 : []), ...(http1 && may('http/1.1') ? HTTP1 : [])];
  return [...(names.length > 0 ? names : http1 ? HTTP1 : HTTP2), ...ANY];
}

/** HTTP/2 was agreed upon, or nothing, and there is nothing else. */
export const isHttp2 = ({ alpnProtocol }: Pick<TLSSocket, 'alpnProtocol'>, { http1 }: Spoken): boolean =>
  !http1 || (typeof alpnProtocol === 'string' && HTTP2.includes(alpnProtocol));

function peerFrom({ uri, trustDomain, workload }: NonNullable<Secured['peer']>): Peer {
  return { id: uri, trustDomain, namespace: workload?.namespace, serviceAccount: workload?.serviceAccount };
}

/** By the chain of now; made once for what it says, as a header of each request comes out of the certificates. */
function ruleOf(
  socket: TLSSocket,
  { certificate, presented, peer }: Secured,
  connection: Pick<GuardedConnection, 'chain'>,
): HeaderRule {
  const own = socket.getX509Certificate();
  const elementOf = ({ parts }: ForwardClientCertificate): string | undefined =>
    certificate &&
    clientCertificateElement({ own: own && certificateOf(own.raw), peer: certificate, chain: presented }, parts);
  let made: { readonly of: ForwardClientCertificate; readonly element: string | undefined } | undefined;
  return {
    isProven: peer !== undefined,
    clientCertificate(sent) {
      const of = connection.chain?.clientCertificate;
      if (of === undefined) return undefined;
      if (made?.of !== of) made = { of, element: elementOf(of) };
      return forwardedClientCertificate(of, sent, made.element);
    },
  };
}
