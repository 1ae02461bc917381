import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import type { Cluster } from '../model/cluster.ts';
import type { ConnectionBreaker } from './connection.ts';

/** Servers on loopback for tests; everything they opened is closed with `closeOrigins`. */
const servers = new Set<Server>();

export interface Origin {
  readonly port: number;
  /** Connections that have come so far. */
  connections: number;
  /** Those that are open. */
  readonly sockets: ReadonlySet<Socket>;
  close(): void;
}

export async function serve<S extends Server>(
  server: S,
  where: net.ListenOptions = { host: '127.0.0.1', port: 0 },
): Promise<Origin> {
  const sockets = new Set<Socket>();
  const origin = {
    port: 0,
    connections: 0,
    sockets,
    close() {
      servers.delete(server);
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  server.on('connection', (socket: Socket) => {
    origin.connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  servers.add(server);
  server.listen(where);
  await once(server, 'listening');
  const address = server.address() as AddressInfo | string;
  origin.port = typeof address === 'string' ? 0 : address.port;
  closers.add(origin.close);
  return origin;
}

const closers = new Set<() => void>();

export function closeOrigins(): void {
  for (const close of closers) close();
  closers.clear();
}

/** An HTTP server. */
export const serveHttp = (listener: http.RequestListener, options: http.ServerOptions = {}): Promise<Origin> =>
  serve(http.createServer(options, listener));

/** A TCP server that does as it is told with each connection's first bytes. */
export const serveRaw = (onRequest: (socket: Socket, request: string) => void): Promise<Origin> =>
  serve(net.createServer((socket) => socket.on('data', (chunk) => onRequest(socket, chunk.toString('latin1')))));

/** A port on which nobody listens. */
export async function deadPort(): Promise<number> {
  const { port, close } = await serve(net.createServer());
  close();
  return port;
}

export const clusterOf = (more: Partial<Cluster> = {}): Cluster => ({
  name: 'reviews',
  discovery: { kind: 'eds', serviceName: 'reviews' },
  connectTimeoutMs: 5_000,
  loadBalancer: { kind: 'round-robin' },
  panicThreshold: 0,
  localityWeighted: false,
  circuitBreakers: { default: {}, high: {} },
  http2: false,
  ...more,
});

/** Lets everything pass. */
export const noBreaker = (): ConnectionBreaker => ({
  maxConnectionsPerHost: Number.POSITIVE_INFINITY,
  takeConnection: () => true,
  giveConnection() {},
  takePending: () => true,
  givePending() {},
});

/** Until it is so; the test's own time limit is the only one. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}
