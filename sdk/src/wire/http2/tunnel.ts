import { Duplex } from 'node:stream';
import { ERROR } from './codes.ts';
import type { ClientStream } from './stream.ts';

type Done = (error?: Error | null) => void;

/** A stream as a socket: what extended CONNECT (RFC 8441) opens. Its owner hands on what its listener is told. */
export class Tunnel extends Duplex {
  readonly #stream: ClientStream;
  #written: Done | undefined;
  #hasEnded = false;

  constructor(stream: ClientStream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
  }

  onData(chunk: Buffer): void {
    if (!this.push(chunk)) this.#stream.pause();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.push(null);
  }

  onRoom(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  /** What has come whole is still to be read. */
  onClosed(code: number): void {
    this.onRoom();
    if (code !== ERROR.none) this.destroy(new Error(`the stream was reset (code ${code})`));
    else if (!this.#hasEnded || this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: Done): void {
    if (this.#stream.write(chunk)) done();
    else this.#written = done;
  }

  override _final(done: Done): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#stream.reset(ERROR.cancel);
    done(error);
  }
}
