import { createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@inmesh/sdk/internal/clock';
import type { MeshError } from '@inmesh/sdk/internal/errors';
import type { Identity } from '@inmesh/sdk/internal/identity/identity';
import type { Secured } from '@inmesh/sdk/internal/identity/peer-check';
import { refusalOf } from '@inmesh/sdk/internal/identity/refusal';
import { NO_SECRETS } from '@inmesh/sdk/internal/identity/secrets';
import { createTlsContexts } from '@inmesh/sdk/internal/identity/tls-contexts';
import type { DownstreamTls } from '@inmesh/sdk/internal/model/tls';
import { certificateProof } from '../auth/client-certificate.ts';
import { isRefusal, type Proof, type Refusal, refuse } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import { UnprovenConnections } from './unproven-connections.ts';

export interface TlsDoorParts {
  readonly identity: Identity;
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Takes a connection. What its client has proven, and what not, is with `proofOf`. */
  readonly take: (socket: TLSSocket) => void;
  /** A connection that came to nothing: why, and whose it was. */
  readonly refused: (refusal: Refusal, address: string | undefined) => void;
}

export interface TlsDoor {
  /** `host:port`. */
  readonly address: string;
  /** No new connections. */
  close(): void;
}

/**
 * A client may show a certificate or a token; who shows none of them, or a bad one, is told so by gRPC. Envoy as a client offers no more than TLS
 * 1.2 unless told otherwise (TlsParameters.tls_maximum_protocol_version).
 */
const TERMS: DownstreamTls = {
  alpn: ['h2'],
  roots: { kind: 'mesh' },
  subjectAltNames: [],
  certificate: { kind: 'identity' },
  requireClientCertificate: false,
  minVersion: 'TLSv1.2',
};

/** Where a call finds what its connection's certificate has proven: HTTP/2 shows the socket only through a proxy. */
const PROOF = Symbol('proof');
const ADMITTED = Symbol('admitted');

export const proofOf = (socket: unknown): Proof | undefined =>
  typeof socket === 'object' && socket !== null ? Reflect.get(socket, PROOF) : undefined;

/** A call of this connection has proven who is there. */
export function admitted(socket: unknown): void {
  const tell: unknown = typeof socket === 'object' && socket !== null ? Reflect.get(socket, ADMITTED) : undefined;
  if (typeof tell === 'function') tell();
}

/** TLS is accepted here and not by grpc-js, which resumes sessions of clients that show no certificate as if they had. */
export async function openTlsDoor(address: string, parts: TlsDoorParts): Promise<TlsDoor> {
  const { identity, trustDomain, clock, refused } = parts;
  const open = new Map<TLSSocket, Secured>();
  const entrance = createEntrance(parts);
  const acceptor = createTlsContexts(identity, NO_SECRETS, clock).server(TERMS, {
    secured(socket, client, raw) {
      open.set(socket, client);
      socket.once('close', () => open.delete(socket));
      entrance.enter(socket, raw, certificateProof(client, trustDomain));
    },
    // TLS 1.3 lets a server say nothing of it, gRPC does: each call is answered with the reason.
    unverified: (socket, error, raw) => entrance.enter(socket, raw, refuse('certificate', whatIsWrong(error))),
    refused(error, remote, raw) {
      if (!entrance.hasDropped(raw)) refused(refuse('certificate', error.message), remote.address);
    },
  });
  const server = createServer({ noDelay: true }, (raw) => {
    const fault = acceptor.accept(raw);
    if (fault === undefined) {
      entrance.begun(raw);
      return;
    }
    raw.destroy();
    refused(refuse('certificate', fault.missing), raw.remoteAddress);
  });
  const stop = identity.onChange(() => recheck(open, refused));
  const port = await listen(server, address);
  return {
    address: `${address.slice(0, address.lastIndexOf(':'))}:${port}`,
    close() {
      stop();
      server.close();
    },
  };
}

/** Between a connection's first byte and the proof of who is there. */
function createEntrance({ clock, take, refused }: TlsDoorParts) {
  const dropped = new WeakSet<Socket>();
  const unproven = new UnprovenConnections({
    clock,
    most: defaultOf('unprovenConnections'),
    patienceMs: defaultOf('unprovenConnectionMs'),
    dropped: (raw, why) => {
      dropped.add(raw);
      refused(refuse('no-credential', why), raw.remoteAddress);
    },
  });
  return {
    begun: (raw: Socket) => unproven.add(raw),
    /** It has been told of already. */
    hasDropped: (raw: Socket) => dropped.has(raw),
    enter(socket: TLSSocket, raw: Socket, proof: Proof | undefined): void {
      // gRPC is chosen by ALPN (gRPC PROTOCOL-HTTP2, "TLS").
      if (socket.alpnProtocol !== 'h2') {
        const { remoteAddress } = socket;
        socket.destroy();
        refused(refuse('certificate', 'it does not speak HTTP/2 (ALPN h2)'), remoteAddress);
        return;
      }
      Reflect.set(socket, PROOF, proof);
      Reflect.set(socket, ADMITTED, () => unproven.proven(raw));
      if (proof !== undefined && !isRefusal(proof)) unproven.proven(raw);
      take(socket);
    },
  };
}

function whatIsWrong(error: MeshError): string {
  const found = refusalOf(error);
  return `certificate: ${found === undefined ? error.message : `${found.refused}: ${found.message}`}`;
}

/** Who was revoked, or lost the root that vouched for it, is not left on a connection that stands. */
function recheck(open: ReadonlyMap<TLSSocket, Secured>, refused: TlsDoorParts['refused']): void {
  for (const [socket, client] of open) {
    const fault = client.recheck();
    if (fault === undefined) continue;
    const { remoteAddress } = socket;
    socket.destroy();
    refused(refuse('certificate', fault.message), remoteAddress);
  }
}

function listen(server: ReturnType<typeof createServer>, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
    server.once('error', failed);
    server.listen(Number(address.slice(colon + 1)), host, () => {
      server.off('error', failed);
      // Too many open files, for one: who is waiting to be accepted is accepted later.
      server.on('error', () => {});
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
}
