import type { CallHandler, CallOptions } from '../call/types.ts';
import type { CallStory } from '../model/events.ts';
import type { MeshRequest } from '../model/request.ts';
import type { CallPolicy } from './call-policy.ts';
import type { Dialled } from './dialled.ts';
import type { RequestBody } from './request-body.ts';
import type { MeshRuntime } from './runtime.ts';

/** A request on its way to one target. */
export interface Outgoing {
  readonly dialled: Dialled;
  readonly request: MeshRequest & { readonly headers: string[] };
  readonly body: RequestBody;
  readonly policy: CallPolicy | undefined;
  readonly upgrade?: string;
}

/** Who hears of it: a call's handler, and whoever sends what the mesh does not know. */
export interface ExchangeHandler extends CallHandler {
  /** It becomes a call of the mesh's (or its own answer). false: it is not wanted any more, and nothing is called then. */
  onStart?(): boolean;
  /** The host is none of the mesh's: send it as it was written. Nothing else is called then. */
  onPassthrough(): void;
}

export interface Exchange {
  abort(reason: unknown): void;
  resume(): void;
  readonly story: CallStory | undefined;
}

export function optionsOf(
  runtime: MeshRuntime,
  { dialled, policy, upgrade }: Outgoing,
  deadlineMs: number | undefined,
): CallOptions {
  const until = deadlineMs ?? (policy?.timeoutMs === undefined ? undefined : runtime.clock.now() + policy.timeoutMs);
  return {
    localReply: policy?.localReply ?? runtime.localReply,
    originalDestination: dialled,
    ...(until !== undefined && { deadlineMs: until }),
    ...(upgrade !== undefined && { upgrade }),
  };
}
