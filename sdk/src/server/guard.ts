import { MeshError } from '../errors.ts';
import { SERVER_SIDE, type ServerSide, type WithServerSide } from '../mesh/server-side.ts';
import { defaultMesh } from '../mesh.ts';
import { appServerOf, type Guardable } from './app-server.ts';
import { takeOver } from './grpc-server.ts';
import type { Guarded } from './guarded.ts';
import { GuardedServer } from './guarded-server.ts';
import type { GuardOptions } from './options.ts';

/**
 * Puts a server into the mesh: mutual TLS with this workload's certificate as PeerAuthentication asks, the caller's identity on
 * each request (`peerOf`), headers that only the mesh may set taken off. The application goes on as it is. Call it before the
 * server listens, or in the same turn.
 *
 * @example
 * const guarded = guard(http.createServer(app), { service: 'reviews', version: 'v1' });
 * await guarded.listen(9080);
 */
export function guard(app: Guardable, options: GuardOptions = {}): Guarded {
  const mesh = options.mesh ?? defaultMesh();
  const side = (mesh as unknown as Partial<WithServerSide>)[SERVER_SIDE];
  if (side === undefined) throw new MeshError('MESH_CONFIG_INVALID', 'guard: `mesh` is no mesh of createMesh');
  return guardWith(side, app, options);
}

/** For tests as well: the mesh as values. */
export function guardWith(side: ServerSide, app: Guardable, options: GuardOptions): Guarded {
  if (GUARDED in app) throw guardedAlready();
  const appServer = appServerOf(app, options.credentials);
  const { server, grpc } = appServer;
  if (GUARDED in server) throw guardedAlready();
  const guarded = new GuardedServer(side, appServer, options);
  for (const one of new Set([server, grpc ?? server])) Object.defineProperty(one, GUARDED, { value: guarded });
  if (grpc !== undefined) {
    const { credentials } = options;
    takeOver(grpc, { credentials, listen: (where) => guarded.listen(where), leave: () => guarded.leave() });
  }
  return guarded;
}

const guardedAlready = () => new MeshError('MESH_CONFIG_INVALID', 'guard: this server is guarded already');

const GUARDED: unique symbol = Symbol.for('inmesh.guarded.1') as never;

/** What a server is guarded by. */
export const guardedOf = (server: object): Guarded | undefined => (server as { readonly [GUARDED]?: Guarded })[GUARDED];
