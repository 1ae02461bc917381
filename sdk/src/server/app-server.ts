import { createServer, Server as HttpServer, type RequestListener } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import { Server as HttpsServer } from 'node:https';
import { type AddressInfo, type ListenOptions, Server } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { MeshError } from '../errors.ts';
import { type GrpcServer, type GrpcServerCredentials, http2ServerOf, isGrpcServer } from './grpc-server.ts';
import type { Spoken } from './terminator.ts';

/** A server of Node's. */
export type NodeServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** A request listener: what `http.createServer` takes, an Express application among them. */
export type Listener = RequestListener;

/** A Fastify instance. */
export interface FastifyLike {
  readonly server: NodeServer;
  ready(): PromiseLike<unknown>;
}

/** A Nest application. */
export interface NestLike {
  init(): Promise<unknown>;
  getHttpServer(): unknown;
}

/** What can be guarded. Hono: the server that `serve` or `createAdaptorServer` of `@hono/node-server` returns. */
export type Guardable = NodeServer | Listener | FastifyLike | NestLike | GrpcServer;

/** A server, and what has to be known of it. */
export interface AppServer {
  readonly server: NodeServer;
  readonly spoken: Spoken;
  /** It ends TLS itself. */
  readonly isSecure: boolean;
  /** A gRPC server that ends no TLS: whatever TLS comes can be the mesh's alone. */
  readonly onlyMeshTls: boolean;
  /** The server of grpc-js whose HTTP/2 server it is. */
  readonly grpc?: GrpcServer;
  /** Runs before it listens: a framework has its plugins to load. */
  prepare(): PromiseLike<unknown>;
}

/** `credentials`: of a server of grpc-js that ends TLS of its own too. */
export function appServerOf(app: Guardable, credentials?: GrpcServerCredentials): AppServer {
  if (isGrpcServer(app)) {
    const made = described(http2ServerOf(app, credentials), async () => {});
    return { ...made, onlyMeshTls: !made.isSecure, grpc: app };
  }
  if (isNodeServer(app)) return described(app, async () => {});
  if ('getHttpServer' in app && typeof app.getHttpServer === 'function') {
    const server: unknown = app.getHttpServer();
    if (isNodeServer(server)) return described(server, () => app.init());
  } else if ('server' in app && isNodeServer(app.server)) {
    const fastify = app;
    return described(app.server, () => fastify.ready());
  } else if (typeof app === 'function') return described(createServer(app), async () => {});
  throw new MeshError('MESH_CONFIG_INVALID', `guard: got ${describe(app)}`, {
    hint: "give it a server of node:http, https or http2, a request listener, Express, Fastify or Nest; of Hono the server that `serve` of '@hono/node-server' returns; or a Server of @grpc/grpc-js",
  });
}

function described(server: NodeServer, prepare: AppServer['prepare']): AppServer {
  // Node exports no class of its HTTP/2 servers; this method is theirs alone.
  const isHttp2 = 'updateSettings' in server;
  const isSecure = server instanceof TlsServer;
  // Where HTTP/1.1 is allowed beside HTTP/2 its options are kept on the server.
  const http1 = !isHttp2 || (isSecure && 'headersTimeout' in server);
  return { server, isSecure, onlyMeshTls: false, spoken: { http1, http2: isHttp2 }, prepare };
}

const isNodeServer = (value: unknown): value is NodeServer =>
  value instanceof HttpServer ||
  value instanceof HttpsServer ||
  (typeof value === 'object' && value !== null && 'updateSettings' in value && 'listen' in value);

const describe = (value: unknown): string =>
  value === null || typeof value !== 'object'
    ? typeof value
    : `an object with ${Object.keys(value).slice(0, 5).join(', ')}`;

export function listening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.off('listening', done);
      reject(error);
    };
    const done = (): void => {
      server.off('error', failed);
      resolve();
    };
    server.once('error', failed).once('listening', done);
    server.listen(options);
  });
}

/** `close` of an HTTP/2 server would end its sessions by a GOAWAY that refuses what is on its way. */
export function stopListening(server: NodeServer, closed: () => void): void {
  if ('updateSettings' in server) Server.prototype.close.call(server, closed);
  else server.close(closed);
}

/** undefined: it does not listen, or at a unix socket. */
export const addressOf = (server: Server): AddressInfo | undefined => {
  const at = server.address();
  return typeof at === 'object' && at !== null ? at : undefined;
};

/** A server that listens on all addresses is asked for as such (gRFC A36 server_listener_resource_name_template). */
export const askedAddress = (host: string | undefined): string =>
  host === undefined || host === '' || host === '::' ? '0.0.0.0' : host;
