import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { MeshError } from '../errors.ts';
import type { DownstreamTls, UpstreamTls } from '../model/tls.ts';
import type { Identity } from './identity.ts';
import type { Secured } from './peer-check.ts';
import { NO_SECRETS, type Secrets } from './secrets.ts';
import { createTlsContexts, type TlsContexts } from './tls-contexts.ts';

/** For tests alone: both ends of TLS in one process, over a real TCP connection. */

export const MESH_CLIENT: UpstreamTls = {
  alpn: [],
  roots: { kind: 'mesh' },
  certificate: { kind: 'identity' },
  subjectAltNames: [],
};

export const MESH_SERVER: DownstreamTls = {
  alpn: [],
  roots: { kind: 'mesh' },
  certificate: { kind: 'identity' },
  subjectAltNames: [],
  requireClientCertificate: true,
};

/** How one end saw a connection. */
export type Seen = Secured | MeshError;

export interface TlsPort {
  readonly port: number;
  /** What the server thought of its next connection, or of one that is over already. */
  next(): Promise<Seen>;
  close(): Promise<void>;
}

/** A port that answers each client it takes with `hello`, and lets it go when asked to. */
export async function openTlsPort(
  identity: Identity,
  tls: DownstreamTls,
  secrets: Secrets = NO_SECRETS,
): Promise<TlsPort> {
  const seen: Seen[] = [];
  const waiting: ((one: Seen) => void)[] = [];
  const sockets = new Set<Socket>();
  const tell = (one: Seen): void => {
    const next = waiting.shift();
    if (next === undefined) seen.push(one);
    else next(one);
  };
  const acceptor = createTlsContexts(identity, secrets).server(tls, {
    secured(socket, client) {
      socket.on('error', () => {});
      socket.write('hello');
      tell(client);
    },
    refused: tell,
  });
  const server = net.createServer((raw) => {
    sockets.add(raw);
    raw.on('error', () => {});
    const missing = acceptor.accept(raw);
    if (missing !== undefined) {
      raw.destroy();
      tell(new MeshError('MESH_IDENTITY_UNAVAILABLE', missing.missing));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    next: () =>
      new Promise((resolve) => void (seen.length > 0 ? resolve(seen.shift() as Seen) : waiting.push(resolve))),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

export interface Opened {
  readonly seen: Seen;
  /** `hello`, where the server took us; otherwise what the client's socket was told. */
  readonly heard: Promise<string>;
  readonly socket: TLSSocket;
}

/** Connects as the mesh does: nothing is sent, and nothing is heard, of a server that is refused. */
export async function openTlsClient(contexts: TlsContexts, tls: UpstreamTls, port: number): Promise<Opened> {
  const raw = net.connect({ host: '127.0.0.1', port });
  await once(raw, 'connect');
  const client = contexts.client(tls, '127.0.0.1');
  if ('missing' in client) throw new MeshError('MESH_IDENTITY_UNAVAILABLE', client.missing);
  const socket = client.open(raw);
  const heard = new Promise<string>((resolve) => {
    socket.once('data', (bytes) => resolve(String(bytes)));
    socket.once('error', (error) => resolve(error.message));
    socket.once('close', () => resolve('closed'));
  });
  const seen = await new Promise<Seen>((resolve) => {
    socket.once('secureConnect', () => resolve(client.verify(socket)));
    socket.once('error', (error) => resolve(client.refusal(error, socket) ?? MeshError.from(error)));
  });
  if (seen instanceof MeshError) socket.destroy();
  return { seen, heard, socket };
}
