import type { Duplex } from 'node:stream';
import type { Connections } from '../connection/connections.ts';
import type { WireRequest } from '../connection/exchange.ts';
import type { TlsTarget } from '../connection/tls.ts';
import type { Cluster } from '../model/cluster.ts';
import type { Breaker } from '../upstream/breaker.ts';
import type { Patience } from '../wire/late-timer.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptFailure } from './failure.ts';

/** The call an attempt belongs to. */
export interface AttemptOwner {
  /** What to send; asked once, when there is a connection: now. */
  requestFor(attempt: Attempt, nowMs: number): WireRequest;
  /** Whether the same request can be sent once more after its connection turned out to be closed. */
  readonly mayReplay: boolean;
  /** What the request's stream failed with, if it did. */
  readonly bodyFailure: { readonly error: unknown } | undefined;
  /** All of the request has left. */
  onSent(): void;
  onInformational(status: number, headers: string[]): void;
  /** A call that does not want this answer cancels the attempt. */
  onHead(attempt: Attempt, head: ResponseHead): void;
  /** False asks for a pause. */
  onData(chunk: Uint8Array): boolean;
  onEnd(trailers: string[], nowMs: number): void;
  onUpgrade(attempt: Attempt, head: ResponseHead, socket: Duplex): void;
  /** No response head came. */
  onFailed(attempt: Attempt, failure: AttemptFailure): void;
  /** Its own time is over; it goes on unless it is cancelled. */
  onLate(attempt: Attempt): void;
  /** The kept connection was closed by its peer under the request: the pick goes on with another connection. */
  onStale(attempt: Attempt): void;
  /** The body broke off. */
  onBroken(attempt: Attempt, failure: AttemptFailure): void;
  /** The request is at fault, not the peer. */
  onInvalid(error: unknown): void;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: string[];
  readonly statusText: string;
}

/** What an attempt is made with, and others of the same call. */
export interface AttemptParts {
  readonly owner: AttemptOwner;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  readonly breaker: Breaker;
  readonly connections: Connections;
  readonly patience: Patience;
  /** How long it may take from the moment the whole request is under way to the head of the answer; 0 = as long as the call. */
  readonly perTryMs: number;
  /** Its longest silence; 0 = none. */
  readonly perTryIdleMs: number;
  /** See CallOptions. */
  readonly isGrpc: boolean;
}
