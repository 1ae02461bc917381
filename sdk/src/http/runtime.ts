import type { CallBody } from '../call/body-source.ts';
import type { LiveTarget } from '../call/live-target.ts';
import type { LocalReply } from '../call/local-reply.ts';
import type { Call, CallHandler, CallOptions } from '../call/types.ts';
import type { Clock } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import type { EventSink } from '../model/events.ts';
import type { MeshRequest } from '../model/request.ts';
import type { CallPolicy } from './call-policy.ts';

/** Reaches the mesh's core; the shells know nothing else of it. */
export interface MeshCore {
  /** Of this moment; a name asked for the first time is `pending`. */
  lookup(target: string): TargetState<LiveTarget>;
  /** With the clusters of filter chains, for `https:` calls: a `tls` route may say where they go. */
  lookupConnection(target: string): TargetState<LiveTarget>;
  start(live: LiveTarget, request: MeshRequest, send: Sending): Call;
  /** Loads what gives answers of the mesh's own, for a target there is no configuration of. */
  answering(): Promise<AnswerLocally>;
}

export type AnswerLocally = (
  target: string,
  reply: LocalReply,
  request: MeshRequest,
  send: Omit<Sending, 'body'>,
) => Call;

export interface Sending {
  readonly body: CallBody;
  readonly handler: CallHandler;
  readonly options: CallOptions;
}

/** What the shells of one mesh share. */
export interface MeshRuntime extends MeshCore {
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly localReply: 'resolve' | 'throw';
  readonly configTimeoutMs: number;
  /** Of all calls; a call's own comes before it. */
  readonly policy?: CallPolicy | undefined;
}
