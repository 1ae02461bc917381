import { MeshError } from '../../errors.ts';
import { type ChannelzModule, loadChannelz } from '../../grpc/grpc-js.ts';
import { defaultMesh, type Mesh } from '../../mesh.ts';
import type { GrpcServer } from '../grpc-server.ts';
import { guardedOf } from '../guard.ts';
import type { Guarded } from '../guarded.ts';
import { withMeshChannels } from './channelz.ts';
import { HEALTH, healthHandlers } from './health.ts';

/** A call as far as it is looked at before it is answered. */
export interface AdminCall {
  /** `address:port` */
  getPeer(): string;
}

export interface AdminOptions {
  /** Whose configuration CSDS tells; the process's own mesh when left out. */
  readonly mesh?: Mesh;
  /** Whose serving state health tells; the server's own when left out. */
  readonly guarded?: readonly Guarded[];
  /** Services that health knows by name, beside the whole server; `false`: no health service, the application has one. */
  readonly health?: readonly string[] | false;
  /** The application's grpc-js, where it is not the one that this package finds. */
  readonly grpc?: ChannelzModule;
  /** Who may ask channelz and CSDS; who calls from this machine when left out. */
  readonly allow?: (call: AdminCall) => boolean;
}

/**
 * gRPC's admin services (gRFC A38) on a server of grpc-js, guarded or not: channelz, the xDS client's status (CSDS) and health.
 * Health answers everybody who may call the server, the others tell how it is made, and answer its own machine.
 */
export async function addAdminServices(server: GrpcServer, options: AdminOptions = {}): Promise<void> {
  const { health = [], allow = isLocal, mesh = defaultMesh() } = options;
  const grpc = options.grpc ?? (await loadChannelz());
  const { CLIENT_STATUS, clientStatusHandlers } = await import('../../discovery/client-status-service.ts');
  if (grpc === undefined || !(server instanceof grpc.Server)) {
    const hint = 'pass the module it comes from: addAdminServices(server, { grpc })';
    throw new MeshError('MESH_CONFIG_INVALID', 'addAdminServices: the server is of another copy of @grpc/grpc-js', {
      hint,
    });
  }
  server.addService(
    grpc.getChannelzServiceDefinition(),
    restricted(withMeshChannels(grpc.getChannelzHandlers()), allow),
  );
  server.addService(
    CLIENT_STATUS,
    restricted(
      clientStatusHandlers(() => mesh.csds()),
      allow,
    ),
  );
  if (health === false) return;
  const own = guardedOf(server);
  const guarded = options.guarded ?? (own === undefined ? [] : [own]);
  server.addService(HEALTH, healthHandlers({ guarded, services: new Set(health) }));
}

const PERMISSION_DENIED = 7;

type Failed = (error: { readonly code: number; readonly details: string }) => void;

interface Answerable extends AdminCall {
  emit(event: 'error', error: Parameters<Failed>[0]): unknown;
}

type Handler = (call: Answerable, answered?: Failed) => void;

/** The same handlers, for those who are allowed. */
function restricted(handlers: object, allow: (call: AdminCall) => boolean): object {
  const refusal = { code: PERMISSION_DENIED, details: 'admin services answer their own machine alone' };
  const wrapped = Object.entries(handlers as Readonly<Record<string, Handler>>).map(([name, handle]) => {
    const checked: Handler = (call, answered) => {
      // A promise is no yes.
      if (allow(call) === true) handle(call, answered);
      else if (answered !== undefined) answered(refusal);
      else call.emit('error', refusal);
    };
    return [name, checked];
  });
  return Object.fromEntries(wrapped);
}

/** Not all of 127.0.0.0/8: a sidecar calls its application from 127.0.0.6 for everybody outside (Istio InboundPassthrough). */
const LOCAL = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

const isLocal = (call: AdminCall): boolean => {
  const peer = call.getPeer();
  return LOCAL.has(peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
};
