import type { PolicyOptions } from '../call/policy-options.ts';
import type { CallHandler, CallOptions } from '../call/types.ts';
import type { CallStory } from '../model/events.ts';
import type { Hash64 } from '../model/hash.ts';
import type { MeshRequest } from '../model/request.ts';
import { currentInbound } from '../propagation/store.ts';
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
  /** See CallOptions. */
  readonly isGrpc?: boolean;
  readonly channel?: Hash64;
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
  { dialled, policy, upgrade, isGrpc, channel }: Outgoing,
  deadlineMs: number | undefined,
): CallOptions {
  const own = deadlineMs ?? (policy?.timeoutMs === undefined ? undefined : runtime.clock.now() + policy.timeoutMs);
  const until = earlier(own, currentInbound()?.dueMs);
  return {
    localReply: policy?.localReply ?? runtime.localReply,
    originalDestination: dialled,
    ...(until !== undefined && { deadlineMs: until }),
    ...(upgrade !== undefined && { upgrade }),
    ...(isGrpc && { isGrpc }),
    ...(channel !== undefined && { channel }),
    ...(policy !== undefined && isCallPolicy(policy) && { policy }),
  };
}

/** A deadline is never extended. */
const earlier = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || (other !== undefined && other < one) ? other : one;

/** It asks for more than a time and a kind of answer. */
const isCallPolicy = ({ idempotent, retry, hedge, retryBudget, bodyBufferBytes }: PolicyOptions): boolean =>
  [idempotent, retry, hedge, retryBudget, bodyBufferBytes].some((option) => option !== undefined);
