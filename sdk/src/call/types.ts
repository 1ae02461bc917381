import type { Duplex } from 'node:stream';
import type { Clock, Random, Turn } from '../clock.ts';
import type { Connections } from '../connection/connections.ts';
import type { CallStory, EventSink } from '../model/events.ts';
import type { Hash64 } from '../model/hash.ts';
import type { PolicyOptions } from './policy-options.ts';

/** What calls share: one per mesh. */
export interface CallRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly connections: Connections;
  readonly emit: EventSink;
  /** False while nobody listens for `call` events: none is made then. */
  readonly isObserved: () => boolean;
  /** What lets sockets go first when a timer is late. */
  readonly turn: Turn;
  /** The address calls come from, for `use_source_ip`; asked when such a policy is met. */
  readonly sourceIp: () => string | undefined;
}

/**
 * Where a call's answer goes: `onHeaders`, then any number of `onData`, then `onEnd`; `onError` ends it at any point. For
 * an upgrade `onUpgrade` or, where the peer declines, the same as otherwise. Never called before `startCall` returns.
 */
export interface CallHandler {
  /** Header names in lower case, in one flat list. */
  onHeaders(status: number, headers: string[], statusText: string): void;
  /** False asks for a pause until `Call.resume`. */
  onData(chunk: Uint8Array): boolean;
  onEnd(trailers: string[]): void;
  /**
   * A MeshError where the mesh or the network failed (its `mesh` is the story), the very reason given to `abort`, what a
   * request stream failed with, or undici's error for a request that cannot be sent at all.
   */
  onError(error: unknown): void;
  onInformational?(status: number, headers: string[]): void;
  onUpgrade?(status: number, headers: string[], socket: Duplex): void;
}

export interface CallOptions {
  /** Whether the mesh's own answers are responses or errors. Redirects and direct responses < 400 always are responses. */
  readonly localReply: 'resolve' | 'throw';
  /** When the caller wants it to be over, on the clock. */
  readonly deadlineMs?: number;
  /** What the URL dials; for passthrough clusters, and the name a TLS peer is asked for where the cluster names none. */
  readonly originalDestination: { readonly host: string; readonly port: number };
  /**
   * A call of a gRPC client: HTTP/2 to the endpoint whatever its cluster says, a request that no peer has looked at is sent
   * again unasked (gRFC A6), and an answer that nobody wants is reset at once.
   */
  readonly isGrpc?: boolean;
  /** Stands for the gRPC channel it is of, where hosts are chosen by that. */
  readonly channel?: Hash64;
  /** `Upgrade` to ask for, e.g. `websocket`. */
  readonly upgrade?: string;
  /** What the caller asks for beside the configuration. */
  readonly policy?: PolicyOptions;
}

/** One call under way. */
export interface Call {
  /**
   * Ends it now, at whatever stage: `onError(reason)` follows at once, unless the call has ended already. A gRPC client
   * says the status it ends with (`codeOfAbort`).
   */
  abort(reason: unknown): void;
  /** After an `onData` that returned false. */
  resume(): void;
  /** Filled as the call goes on, complete at its end. */
  readonly story: CallStory;
}
