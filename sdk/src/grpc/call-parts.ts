import type { MeshRuntime } from '../http/runtime.ts';
import type { Hash64 } from '../model/hash.ts';
import type { CallCounts } from './channel-list.ts';
import type { ChannelSettings } from './channel-options.ts';
import type { GrpcTarget } from './target.ts';
import type { GrpcCallCredentials, GrpcChannel, GrpcParentCall } from './types.ts';

/** What a call is made with. */
export interface CallParts {
  readonly runtime: MeshRuntime;
  readonly target: GrpcTarget;
  readonly settings: ChannelSettings;
  readonly number: number;
  /** Of the channel. */
  readonly counts: CallCounts;
  /** The same for all calls of the channel. */
  readonly channel: Hash64;
  /** `/package.Service/Method` */
  readonly method: string;
  /** Wall clock, ms; infinite where there is none. */
  readonly deadlineMs: number;
  readonly host: string | undefined;
  readonly parent: GrpcParentCall | null;
  readonly flags: number;
  /** Of the channel. */
  readonly credentials: GrpcCallCredentials | undefined;
  /** grpc-js's own channel to the same target, for what is none of the mesh's. */
  plain(): Promise<GrpcChannel>;
}
