import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateOptions, TestCa, TestCertificate } from '../../../test/harness/certificates.ts';
import { createTestIdentity, type TestIdentity } from '../../../test/harness/test-identity.ts';
import { systemClock, systemTurn } from '../clock.ts';
import { createSecureTransports, type SecureTransports } from '../connection/secure-transports.ts';
import { createBundles } from '../identity/bundles.ts';
import type { Identity, TrustBundles } from '../identity/identity.ts';
import { NO_SECRETS, type Secrets, type SecretValue } from '../identity/secrets.ts';
import { createTlsContexts } from '../identity/tls-contexts.ts';
import type { DownstreamTls, UpstreamTls } from '../model/tls.ts';

/** For tests alone: mutual TLS between calls and real servers of node:tls. */

export const idOf = (account: string): string => `spiffe://cluster.local/ns/default/sa/${account}`;

/** What Istio's ISTIO_MUTUAL asks for. */
export const mutual = (...accounts: string[]): UpstreamTls => ({
  sni: 'outbound_.9080_._.reviews.default.svc.cluster.local',
  alpn: ['istio-peer-exchange', 'istio'],
  certificate: { kind: 'identity' },
  roots: { kind: 'mesh' },
  subjectAltNames: accounts.map((account) => ({ type: 'uri', kind: 'exact', value: idOf(account) })),
});

const SERVER: DownstreamTls = {
  alpn: ['h2', 'http/1.1', 'istio'],
  certificate: { kind: 'identity' },
  roots: { kind: 'mesh' },
  subjectAltNames: [],
  requireClientCertificate: true,
};

export const bundleOf = (...cas: TestCa[]): TrustBundles =>
  createBundles([['cluster.local', cas.map(({ pem }) => pem)]]);

export const workload = (ca: TestCa, account: string, more: CertificateOptions = {}): Promise<TestCertificate> =>
  ca.issue({ uris: [idOf(account)], ...more });

export const transportsOf = (identity: Identity, secrets: Secrets = NO_SECRETS): SecureTransports =>
  createSecureTransports({ clock: systemClock, turn: systemTurn, identity, secrets });

interface TestSecrets extends Secrets {
  set(name: string, value: Omit<SecretValue, 'generation'>): void;
  onChange(listener: () => void): () => void;
}

/** Secrets that a test posts. */
export function createTestSecrets(): TestSecrets {
  const values = new Map<string, SecretValue>();
  const listeners = new Set<() => void>();
  return {
    get: (name) => values.get(name),
    set(name, value) {
      values.set(name, { ...value, generation: (values.get(name)?.generation ?? 0) + 1 });
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export interface MutualServer {
  readonly port: number;
  readonly identity: TestIdentity;
  /** Connections taken so far, and those that are open. */
  readonly counts: { taken: number; open: number };
  /** Names that clients asked for, and protocols that were agreed on. */
  readonly serverNames: Set<string>;
  readonly protocols: Set<string>;
  close(): Promise<void>;
}

/** A server that takes mutual TLS alone and says what the client proved, over HTTP/1.1 or 2. */
export async function serveMutual(identity: TestIdentity, answer: RequestListener = ok): Promise<MutualServer> {
  const sockets = new Set<Socket>();
  const counts = { taken: 0, open: 0 };
  const serverNames = new Set<string>();
  const protocols = new Set<string>();
  const http = createHttpServer({ keepAliveTimeout: 60_000 }, answer);
  const http2 = createHttp2Server(answer as never);
  const acceptor = createTlsContexts(identity, NO_SECRETS).server(SERVER, {
    secured(socket: TLSSocket) {
      counts.taken++;
      counts.open++;
      socket.once('close', () => counts.open--);
      socket.on('error', () => {});
      serverNames.add(String((socket as unknown as { servername?: string }).servername));
      protocols.add(String(socket.alpnProtocol));
      (socket.alpnProtocol === 'h2' ? http2 : http).emit('connection', socket);
    },
    refused() {},
  });
  const server = createServer((raw) => {
    sockets.add(raw);
    raw.on('error', () => {}).once('close', () => sockets.delete(raw));
    if (acceptor.accept(raw) !== undefined) raw.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    identity,
    counts,
    serverNames,
    protocols,
    close() {
      for (const socket of sockets) socket.destroy();
      http.close();
      http2.close();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const ok: RequestListener = (_, response) => {
  response.end('ok');
};

/** A server of this certificate in a mesh of these CAs. */
export const serverOf = (certificate: TestCertificate, ...cas: TestCa[]): Promise<MutualServer> =>
  serveMutual(createTestIdentity({ certificate, bundles: bundleOf(...cas) }));
