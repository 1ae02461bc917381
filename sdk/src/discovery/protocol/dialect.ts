import type { Node } from '../../../gen/core.js';

/**
 * One stream's side of the protocol, delta or state-of-the-world: which bytes to send for a wish, what received bytes say.
 * A dialect lives as long as its stream, so nonces and "the server knows that we want X" can never outlive it.
 */
export interface Dialect {
  /** Brings the server's idea of what we want to `names`; undefined when it already has it. */
  subscribe(typeUrl: string, names: ReadonlyMap<string, Held>, changed?: Iterable<string>): Uint8Array | undefined;
  /** A request that changes nothing but repeats the node. */
  present(): Uint8Array;
  /** Throws when the bytes are no response. */
  read(bytes: Uint8Array): AdsResponse;
  /** Has the server send resources again although it told us already: requests, in their order. */
  again(typeUrl: string, names: ReadonlySet<string>): readonly Uint8Array[];
  /** ACK, or NACK when `error` says what is wrong. */
  answer(response: AdsResponse, names: ReadonlyMap<string, Held>, error?: string): Uint8Array;
}

/** What the client holds of a subscribed name. */
export interface Held {
  /** Of the last good version; undefined when there is none. */
  readonly version: string | undefined;
  /** The server that gave it. */
  readonly from: string | undefined;
}

export interface AdsResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  /** The server's own word for its state, if it gives one. */
  readonly revision: string;
  readonly resources: readonly WireResource[];
  /** Without a body: what we hold of them lives on (Envoy xDS protocol, TTL). */
  readonly renewed: readonly Renewed[];
  /** Said to be gone, by name. */
  readonly removed: readonly string[];
  /** Named as not to be had, with the reason (gRFC A88 resource_errors). */
  readonly errors: readonly ResourceFault[];
  /** True when a held name that is not in `resources` is gone (SotW listeners and clusters). */
  readonly isComplete: boolean;
  /** Names this response surely answers: those of the first request, for the first response of a type (a later one may have crossed ours). */
  readonly answers: ReadonlySet<string>;
}

export interface WireResource {
  /** Empty where the wire does not say: the resource knows its own. */
  readonly name: string;
  readonly version: string;
  readonly typeUrl: string;
  readonly bytes: Uint8Array;
  /** SotW: it comes with every response of its type, changed or not. */
  readonly repeats?: true;
  /** It is to be dropped when nothing more is heard of it for so long; undefined: never. */
  readonly ttlMs?: number;
}

export interface Renewed {
  readonly name: string;
  readonly ttlMs?: number;
  readonly bytes?: never;
}

export interface ResourceFault {
  readonly name: string;
  /** google.rpc.Code. */
  readonly code: number;
  readonly message: string;
}

/** Makes the node that the first request, and each repetition, carries. */
export type NodeSource = () => Node;

/** Carries the node where no type was asked for yet; a side type, so no server takes an empty list for a wildcard. */
export const PRESENCE_TYPE = 'type.googleapis.com/inmesh.v1.RouteSources';

/** google.rpc.Code INVALID_ARGUMENT: what Envoy, grpc-go and C-core put into a NACK. */
export const NACK_CODE = 3;
