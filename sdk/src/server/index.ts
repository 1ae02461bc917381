/** Servers of the mesh: mutual TLS, the caller's identity, limits and a graceful end around an application's own server. */

export type { ChannelzModule } from '../grpc/grpc-js.ts';
export { type AdminCall, type AdminOptions, addAdminServices } from './admin/admin-services.ts';
export type { FastifyLike, Guardable, Listener, NestLike, NodeServer } from './app-server.ts';
export type { InboundMode } from './chain.ts';
export type { DoorReason } from './door.ts';
export type { GrpcServer, GrpcServerCredentials } from './grpc-server.ts';
export { guard } from './guard.ts';
export type { Guarded, GuardStats } from './guarded.ts';
export type { GuardOptions, ListenAt, ShutdownOptions } from './options.ts';
export { type Peer, type PeerSource, peerOf } from './peer.ts';
export type { ProbeOptions } from './probes.ts';
