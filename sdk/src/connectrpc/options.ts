import type { ConnectTransportOptions, GrpcTransportOptions, GrpcWebTransportOptions } from '@connectrpc/connect-node';
import type { CallPolicy } from '../http/call-policy.ts';
import type { Mesh } from '../mesh.ts';

/** Connections are the mesh's: what connect-node would be told of its own has no place here. */
type OfConnections =
  | 'httpVersion'
  | 'nodeOptions'
  | 'sessionManager'
  | 'pingIntervalMs'
  | 'pingIdleConnection'
  | 'pingTimeoutMs'
  | 'idleConnectionTimeoutMs';

interface MeshOptions {
  /** The process's own where there is none. */
  readonly mesh?: Mesh;
  /**
   * Asked of every call, beside what the resources say. Methods that the schema calls idempotent or free of side effects are
   * `idempotent` without it, and those of gRPC are whatever the retry policy says.
   */
  readonly policy?: Omit<CallPolicy, 'localReply'>;
}

interface VersionOption {
  /** For hosts that are none of the mesh's, 1.1 when left out; in the mesh the resources say which protocol a cluster speaks. */
  readonly httpVersion?: '1.1' | '2';
}

export type MeshConnectTransportOptions = Omit<ConnectTransportOptions, OfConnections> & MeshOptions & VersionOption;
export type MeshGrpcTransportOptions = Omit<GrpcTransportOptions, OfConnections> & MeshOptions;
export type MeshGrpcWebTransportOptions = Omit<GrpcWebTransportOptions, OfConnections> & MeshOptions & VersionOption;
