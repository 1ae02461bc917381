/** Of one stream of an HTTP/2 connection. */
export type StreamFailureKind =
  /** The peer has not looked at the request: it may be sent again, whatever it is (RFC 9113 §8.7). */
  | 'refused'
  /** RST_STREAM. */
  | 'reset'
  /** RST_STREAM with PROTOCOL_ERROR, ours or the peer's. */
  | 'protocol'
  /** The connection has ended under it. */
  | 'lost'
  /** The peer takes no extended CONNECT (RFC 8441). */
  | 'upgrade';

export interface StreamFailureInit {
  readonly isStale?: boolean;
  readonly cause?: unknown;
  readonly resetCode?: number;
}

export class StreamFailure extends Error {
  readonly kind: StreamFailureKind;
  /** Its connection had been idle when the request was sent: the peer may have been closing it already. */
  readonly isStale: boolean;
  /** Of the peer's RST_STREAM. */
  readonly resetCode: number | undefined;

  constructor(kind: StreamFailureKind, message: string, more: StreamFailureInit = {}) {
    const { isStale = false, cause, resetCode } = more;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StreamFailure';
    this.kind = kind;
    this.isStale = isStale;
    this.resetCode = resetCode;
  }
}
