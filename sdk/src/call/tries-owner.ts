import type { Duplex } from 'node:stream';
import type { WireRequest } from '../connection/exchange.ts';
import type { FaultPolicy } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import type { Host } from '../upstream/host.ts';
import type { AttemptOwner, ResponseHead } from './attempt-owner.ts';
import type { BodySource } from './body-source.ts';
import type { AttemptFailure } from './failure.ts';
import type { LocalReply } from './local-reply.ts';
import type { Way } from './plan.ts';
import type { LiveStory } from './story.ts';
import type { CallTerms } from './terms.ts';
import type { CallOptions, CallRuntime } from './types.ts';

/** The call that attempts are made for. */
export interface TriesOwner
  extends Pick<AttemptOwner, 'onSent' | 'onInformational' | 'onData' | 'onEnd' | 'onInvalid'> {
  readonly story: LiveStory;
  /** What to send now: `number` counts from 1, `hostname` is the endpoint's. */
  requestFor(number: number, hostname: string | undefined, nowMs: number): WireRequest;
  /** The cluster chosen anew, for the attempts that follow. */
  repick(): Way;
  /** The answer the caller gets, and whose it is; the other attempts are gone. */
  onAnswer(head: ResponseHead, host: Host): void;
  onSwitched(head: ResponseHead, socket: Duplex): void;
  /** No attempt is left. */
  onGivenUp(reply: LocalReply): void;
  /** The answer's body broke off. */
  onBroken(failure: AttemptFailure): void;
}

export interface TriesParts {
  readonly owner: TriesOwner;
  readonly runtime: CallRuntime;
  readonly way: Way;
  readonly terms: CallTerms;
  readonly request: MeshRequest;
  readonly source: BodySource | undefined;
  readonly options: CallOptions;
  /** To be drawn for each attempt. */
  readonly fault: FaultPolicy | undefined;
}
