import type { Clock } from '@inmesh/sdk/internal/clock';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { TypeStatus } from './acknowledgements.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Peer } from './peer.ts';
import type { RequestLimits } from './request-size.ts';
import type { Session } from './session.ts';
import type { BucketShape } from './token-bucket.ts';

/** The wire below a session: grpc-js or the in-process transport. */
export interface Link {
  /** False when the peer is slow: the session then waits for `drained` and sends only the newest. */
  send(bytes: Buffer): boolean;
  /** Requests stay where they are until `resume`. */
  pause(): void;
  resume(): void;
  end(code: number, message: string): void;
}

export interface StreamLimits extends RequestLimits {
  readonly namesPerStream: number;
  readonly typesPerStream: number;
  readonly nameLength: number;
  /** Of what a client says about a response that it rejects. */
  readonly reasonLength: number;
  /** New names; a request counts as one more. */
  readonly names: BucketShape;
}

/** Whether the answer `found` must wait; `held` is the version the client has. */
export type Waits = (name: string, held: string | undefined, found: EncodedResource | undefined) => boolean;

/** What a session reads and tells; one per server. */
export interface SessionHost {
  readonly clock: Clock;
  readonly limits: StreamLimits;
  /** How a client's resources of a type are found, as they are when asked for. */
  lookup(identity: ClientIdentity, typeUrl: string): Lookup;
  /** Of the Pod that the peer has proven to be; undefined: not known, or it has proven none. */
  podLabels?(peer: Peer): ReadonlyMap<string, string> | undefined;
  /** undefined: nothing waits. Who makes something wait calls `changed` when it may be answered. */
  waits(identity: ClientIdentity, typeUrl: string): Waits | undefined;
  /** Why a client is told of no such resource (gRFC A88); a word of the server's own where undefined. */
  absence?(identity: ClientIdentity, typeUrl: string, name: string): string | undefined;
  /** How long resources of a type live where they are not renewed; undefined: for ever. */
  ttlMs?(typeUrl: string): number | undefined;
  /** The node of a stream became known or changed. */
  identified(session: Session, identity: ClientIdentity): void;
  /** The session has something to say: `serve` is wanted. */
  due(session: Session): void;
  /** A wildcard, a refused name, a fault in the metadata… */
  warn(session: Session, message: string): void;
  answered(session: Session, typeUrl: string, status: TypeStatus): void;
  /** It asks faster than its limit and is not read for `waitMs`, the `time`th time. */
  throttled(session: Session, waitMs: number, time: number): void;
  /** So many names were too many. */
  refused(count: number): void;
  readonly revision: () => string;
}
