/** gRPC over the mesh: clients of `@grpc/grpc-js` whose channel is the mesh's. */

import type { GrpcChannel, GrpcClientClass, GrpcOptions } from './grpc/types.ts';
import { defaultMesh } from './mesh.ts';

export type {
  GrpcAuthContext,
  GrpcCall,
  GrpcCallCredentials,
  GrpcChannel,
  GrpcChannelCredentials,
  GrpcChannelzRef,
  GrpcClientClass,
  GrpcListener,
  GrpcMessageContext,
  GrpcMetadata,
  GrpcOptions,
  GrpcParentCall,
  GrpcStatusObject,
} from './grpc/types.ts';

/**
 * `mesh.grpc()` of the process's own mesh.
 *
 * @example
 * const client = new EchoClient('echo:80', credentials.createInsecure(), grpc());
 */
export const grpc = (): GrpcOptions => defaultMesh().grpc();

/** `mesh.channel()` of the process's own mesh. */
export const channel = (target: string): GrpcChannel => defaultMesh().channel(target);

/**
 * `mesh.client()` of the process's own mesh.
 *
 * @example
 * const echo = client(EchoClient, 'echo:80');
 */
export const client = <C>(Client: GrpcClientClass<C>, target: string): C => defaultMesh().client(Client, target);
