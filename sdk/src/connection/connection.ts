import type { AnswerFields, RequestHandler, WireRequest } from './exchange.ts';

/**
 * What a request is sent on: an HTTP/1.1 connection, or the room for one stream on an HTTP/2 connection. Whoever checked
 * it out calls `release` or `close`, once.
 */
export interface Connection {
  /** `address:port` */
  readonly endpoint: string;
  /** SPIFFE ID of the server, where it is one of the mesh. */
  readonly peer?: string | undefined;
  /** At checkout: not dialled for this request. */
  readonly isReused: boolean;
  dispatch(request: WireRequest, handler: RequestHandler): void;
  /** The response head as a flat list; takes note of what it says about the connection. */
  readHead(headers: AnswerFields): string[];
  /** The request has ended properly, or was never sent. */
  release(nowMs: number): void;
  /** Ends the request, and on HTTP/1.1 the connection. */
  close(): void;
}

/** A connection as its lane has it. */
export interface PooledConnection {
  /** Listed among those that take a request at once; the lane's. */
  isReady: boolean;
  /** It takes one more request now. */
  readonly hasRoom: boolean;
  /** Requests it can have at a time; 0 while its peer allows none. */
  readonly capacity: number;
  /** Takes room for a request. */
  lease(): Connection;
  /** Young enough, and not closed as far as we can know. */
  isUsable(nowMs: number): boolean;
  /** When it will have been idle, or open, for long enough. */
  untilMs(): number;
  /** Nobody uses it for now: the process may end. */
  park(): void;
  /** No further requests; closed once those under way have ended. */
  drain(): void;
  /** Ends it and whatever is on it. */
  close(): void;
}

/** What a connection needs of the lane it belongs to. */
export interface ConnectionHome {
  readonly limits: ConnectionLimits;
  /** A request has ended, or the peer allows more: it may have room for another. */
  returned(connection: PooledConnection): void;
  /** It takes no further requests, though it is not closed yet. */
  draining(connection: PooledConnection): void;
  /** The socket is closed; exactly once. */
  closed(connection: PooledConnection): void;
}

/** Of the cluster, as it is configured now. */
export interface ConnectionLimits {
  readonly idleMs: number | undefined;
  readonly maxAgeMs: number | undefined;
  readonly maxRequests: number | undefined;
  /** Streams at a time on one HTTP/2 connection, as far as it is ours to say. */
  readonly maxStreams: number;
}

/** What limits the connections of one cluster and priority (Envoy's circuit breaker). What is taken is given back, once. */
export interface ConnectionBreaker {
  /** Connections to one host at a time. */
  readonly maxConnectionsPerHost: number;
  /** `isFirst`: the host has none yet. */
  takeConnection(isFirst: boolean): boolean;
  giveConnection(): void;
  /** For a request that waits for a connection. */
  takePending(): boolean;
  givePending(): void;
}

export const UNLIMITED = Number.POSITIVE_INFINITY;
