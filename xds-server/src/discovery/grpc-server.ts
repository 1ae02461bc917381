import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';
import type { Identity } from '@inmesh/sdk/internal/identity/identity';
import type { Refusal } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import { type Admit, createAdmit } from './admit.ts';
import type { AdsService } from './ads-service.ts';
import { addServices, type Certify } from './grpc-services.ts';
import type { LoadService } from './load-service.ts';
import { removeStaleSocket, unixPath } from './stale-socket.ts';
import { openTlsDoor } from './tls-door.ts';

/** ADS, SDS and the CA over gRPC on grpc-js, behind the little that we need of it. */
export interface AdsServer {
  /** Where it listens: `host:port` or `unix:PATH`. */
  readonly address: string;
  /** Lets open streams end, at most for `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface AdsServerDeps {
  readonly clock: Clock;
  /** How long a peer may read nothing of what waits for it. */
  readonly unreadMs: number;
  readonly admit: Admit;
  readonly certify?: Certify | undefined;
  readonly loads?: LoadService | undefined;
  /** Someone was not let in. */
  readonly turnedAway: (refusal: Refusal, address: string | undefined) => void;
}

export interface SecureDeps extends AdsServerDeps {
  /** The server's own certificate, and the roots of its clients. */
  readonly identity: Identity;
  readonly trustDomain: string;
}

/** Nobody proves anything, and nobody has to who is on this machine. */
const DEPS: AdsServerDeps = {
  clock: systemClock,
  unreadMs: defaultOf('unreadStreamMs'),
  admit: createAdmit({ authenticate: async () => undefined, isPublicPlaintext: false }),
  turnedAway: () => {},
};

/** Plain text. A request that says in its frame that it is too long is refused (RESOURCE_EXHAUSTED) before its bytes are held. */
export async function listenAds(
  service: AdsService,
  address: string,
  deps: Partial<AdsServerDeps> = {},
): Promise<AdsServer> {
  const server = newServer();
  const transport = unixPath(address) === undefined ? 'tcp' : 'unix';
  addServices(server, { ...DEPS, ...deps, service, transport });
  const bound = await bind(server, address);
  return { address: bound, close: (graceMs) => shutDown(server, graceMs) };
}

/** TLS: who comes proves who it is, by a token or by its certificate. */
export async function listenSecureAds(service: AdsService, address: string, deps: SecureDeps): Promise<AdsServer> {
  const server = newServer();
  addServices(server, { ...deps, service, transport: 'tls' });
  const { identity, trustDomain, clock, turnedAway } = deps;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const door = await openTlsDoor(address, {
    identity,
    trustDomain,
    clock,
    take: (socket) => injector.injectConnection(socket),
    refused: turnedAway,
  });
  return {
    address: door.address,
    close(graceMs) {
      door.close();
      return shutDown(server, graceMs);
    },
  };
}

const newServer = (): Server =>
  new Server({
    // Beyond all that one connection has a use for (Envoy opens a stream for each secret); grpc-js itself sets no bound.
    'grpc.max_concurrent_streams': defaultOf('streamsPerConnection'),
    'grpc.max_receive_message_length': defaultOf('requestBytes'),
    'grpc.keepalive_time_ms': defaultOf('keepaliveMs'),
    'grpc.keepalive_timeout_ms': defaultOf('keepaliveTimeoutMs'),
    // Who connects and asks for nothing, not even HTTP/2, holds a connection for so long.
    'grpc.max_connection_idle_ms': defaultOf('idleConnectionMs'),
  });

/** `unix:PATH` and `host:port` as grpc-js wants them; the real port replaces 0. */
async function bind(server: Server, address: string): Promise<string> {
  const file = unixPath(address);
  if (file !== undefined) await removeStaleSocket(file);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
      else resolve(file === undefined ? `${address.slice(0, address.lastIndexOf(':'))}:${port}` : address);
    });
  });
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
