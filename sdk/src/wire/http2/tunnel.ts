import { Duplex } from 'node:stream';
import { ERROR } from './codes.ts';
import type { ClientStream } from './stream.ts';

type Done = (error?: Error | null) => void;

/** A stream as a socket: what extended CONNECT (RFC 8441) opens. Its owner hands on what its listener is told. */
export class Tunnel extends Duplex {
  readonly #stream: ClientStream;
  #written: Done | undefined;

  constructor(stream: ClientStream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
  }

  onData(chunk: Buffer): void {
    if (!this.push(chunk)) this.#stream.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onRoom(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  onClosed(code: number): void {
    this.destroy(code === ERROR.none ? undefined : new Error(`the stream was reset (code ${code})`));
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
