import { MeshError } from '../errors.ts';
import type { GrpcCallCredentials, GrpcChannel, GrpcChannelCredentials } from './types.ts';

/** All that is asked of `@grpc/grpc-js` beside its types: the only file that loads it, for hosts that are none of the mesh's and for channelz. */

interface ChannelPlace {
  readonly target: string;
  readonly credentials: GrpcChannelCredentials | undefined;
  readonly options: object;
}

/** grpc-js's own channel. Rejects with MESH_CONFIG_INVALID where the package is not there. */
export async function openPlainChannel({ target, credentials, options }: ChannelPlace): Promise<GrpcChannel> {
  const grpc = await import('@grpc/grpc-js').catch((cause: unknown) => {
    const what = `${target} is not in the mesh, and @grpc/grpc-js could not be loaded to call it directly`;
    throw new MeshError('MESH_CONFIG_INVALID', what, { hint: 'npm install @grpc/grpc-js', cause });
  });
  // Of another copy of the package they would be refused; those in clear have nothing to lose.
  const own = credentials?._isSecure() ? credentials : grpc.credentials.createInsecure();
  const channel: unknown = new grpc.Channel(target, own as ReturnType<typeof grpc.credentials.createInsecure>, options);
  return channel as GrpcChannel;
}

/** What channelz is made of, and the class of its servers. */
export interface ChannelzModule {
  readonly Server: new () => object;
  getChannelzServiceDefinition(): object;
  getChannelzHandlers(): object;
}

/** undefined: it is not there. */
export async function loadChannelz(): Promise<ChannelzModule | undefined> {
  return import('@grpc/grpc-js').then(
    (grpc) => grpc as ChannelzModule,
    () => undefined,
  );
}

/** What older and newer releases have for it; neither is documented, both are part of the public classes. */
interface ComposedCredentials extends GrpcChannelCredentials {
  /** Up to 1.11. */
  _getCallCredentials?(): GrpcCallCredentials;
  /** Since 1.12. */
  _createSecureConnector?(
    target: { scheme: string; path: string },
    options: object,
  ): {
    getCallCredentials?(): GrpcCallCredentials;
    destroy(): void;
  };
}

/** The call credentials composed into those of a channel. */
export function callCredentialsIn(credentials: ComposedCredentials, path: string): GrpcCallCredentials | undefined {
  if (credentials._getCallCredentials !== undefined) return credentials._getCallCredentials();
  const connector = credentials._createSecureConnector?.({ scheme: 'dns', path }, {});
  const found = connector?.getCallCredentials?.();
  connector?.destroy();
  return found;
}
