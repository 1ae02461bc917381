import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { AddressInfo, ListenOptions } from 'node:net';
import { MeshError } from '../errors.ts';

/** All that is asked of a `Server` of `@grpc/grpc-js`; its types are not imported, they are of an optional peer. */
export interface GrpcServer {
  addService(service: object, implementation: object): void;
  bindAsync(address: string, credentials: never, callback: (error: Error | null, port: number) => void): void;
  tryShutdown(callback: (error?: Error) => void): void;
  forceShutdown(): void;
}

/** Credentials of a server of grpc-js. */
export interface GrpcServerCredentials {
  _isSecure(): boolean;
}

interface ServerEntry {
  readonly channelzRef: object;
  readonly sessions: Set<object>;
  readonly ownsChannelzRef: boolean;
}

type Bound = { readonly host: string; readonly port: number };

/** Private, and the same from 1.10 to the newest release (docs/decisions/0014): the only file that knows of it. */
interface Inside extends GrpcServer {
  createHttp2Server(credentials: GrpcServerCredentials): Http2Server | Http2SecureServer;
  readonly http2Servers: Map<object, ServerEntry>;
  readonly listenerChildrenTracker: { refChild(ref: object): void };
  /** Up to 1.11. */
  registerListenerToChannelz?(at: Bound): object;
  /** Since 1.12. */
  experimentalRegisterListenerToChannelz?(at: Bound): object;
}

/** In clear: TLS is ended before. An object of our own, as the application's copy of grpc-js is not ours to load. */
const CLEAR = { _isSecure: () => false, _getInterceptors: () => [], _equals: () => false };

export const isGrpcServer = (value: unknown): value is GrpcServer =>
  typeof value === 'object' &&
  value !== null &&
  ['addService', 'bindAsync', 'tryShutdown', 'forceShutdown'].every(
    (name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function',
  );

/** The HTTP/2 server that grpc-js would make for `bindAsync`, with its handlers on it; it does not listen yet. */
export function http2ServerOf(
  server: GrpcServer,
  credentials: GrpcServerCredentials = CLEAR,
): Http2Server | Http2SecureServer {
  const inside = server as Inside;
  if (typeof inside.createHttp2Server !== 'function' || !(inside.http2Servers instanceof Map)) {
    throw new MeshError(
      'MESH_CONFIG_INVALID',
      'guard: this release of @grpc/grpc-js has no server that can be guarded',
      {
        hint: '1.10 to 1.14 are known',
      },
    );
  }
  const made = inside.createHttp2Server(credentials);
  made.on('listening', () => keep(inside, made));
  return made;
}

/** As `bindAsync` does: so `tryShutdown`, `forceShutdown` and channelz know of it. */
function keep(inside: Inside, made: Http2Server | Http2SecureServer): void {
  const at = made.address();
  const bound = typeof at === 'object' && at !== null ? { host: at.address, port: at.port } : { host: '', port: 0 };
  const channelzRef =
    inside.experimentalRegisterListenerToChannelz?.(bound) ?? inside.registerListenerToChannelz?.(bound) ?? {};
  inside.listenerChildrenTracker.refChild(channelzRef);
  inside.http2Servers.set(made, { channelzRef, sessions: new Set(), ownsChannelzRef: true });
}

/** What the application's own calls of its server become. */
export interface GrpcShell {
  readonly credentials: GrpcServerCredentials | undefined;
  listen(where: ListenOptions): Promise<AddressInfo>;
  /** The application lets its server end: no more of it is announced. */
  leave(): void;
}

/** `bindAsync` opens the guarded port, `tryShutdown` and `forceShutdown` take it out of the mesh first. */
export function takeOver(server: GrpcServer, { credentials, listen, leave }: GrpcShell): void {
  const { tryShutdown, forceShutdown } = server;
  let bound: string | undefined;
  const bind = async (address: string, given: GrpcServerCredentials): Promise<number> => {
    if (bound !== undefined)
      throw new MeshError('MESH_CONFIG_INVALID', `guard: bound to ${bound} already, one port a guarded server`);
    if (given._isSecure() && given !== credentials) {
      const hint =
        'ServerCredentials.createInsecure(): TLS is the mesh’s; for TLS of your own pass the same to guard as `credentials`';
      throw new MeshError('MESH_CONFIG_INVALID', `guard: ${address} is bound with other credentials than guarded`, {
        hint,
      });
    }
    const where = placeOf(address);
    bound = address;
    return (await listen(where)).port;
  };
  Object.assign(server, {
    bindAsync(address: string, given: GrpcServerCredentials, callback: (error: Error | null, port: number) => void) {
      bind(address, given).then(
        (port) => callback(null, port),
        (error: Error) => callback(error, 0),
      );
    },
    tryShutdown(callback: (error?: Error) => void) {
      leave();
      tryShutdown.call(server, callback);
    },
    forceShutdown() {
      leave();
      forceShutdown.call(server);
    },
  });
}

/** `host:port`, `[::1]:port`, `unix:PATH`, as grpc-js takes them; the scheme `dns` may stand before a host. */
function placeOf(address: string): ListenOptions {
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(address)?.[1];
  if (unix !== undefined) return { path: unix };
  const [, inBrackets, bare, port = ''] =
    /^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)?(?:\[([^\]]+)\]|([^:/]*)):(\d{1,5})$/.exec(address) ?? [];
  const host = inBrackets ?? bare;
  if (host === undefined || Number(port) > 65_535) {
    throw new MeshError('MESH_CONFIG_INVALID', `bindAsync: "${address}", host:port or unix:PATH allowed`);
  }
  return { port: Number(port), ...(host !== '' && { host }) };
}
