/** Who made the request. `onClosed` comes last, once; after it nothing does. */
export interface StreamListener {
  onInformational(status: number, headers: string[]): void;
  onHead(status: number, headers: string[]): void;
  onData(chunk: Buffer): void;
  /** The answer is whole. */
  onEnd(trailers: string[]): void;
  /** All of the request is on its way. */
  onSent(): void;
  /** After a `write` that returned false. */
  onRoom(): void;
  /** It takes no place on the connection any more. `code`: of RST_STREAM, or none. */
  onClosed(code: number): void;
}
