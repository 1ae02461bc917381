import { FrameReader } from '../wire/grpc-frames.ts';
import { GRPC } from '../wire/grpc-status.ts';
import type { Algorithm } from './algorithms.ts';
import { decompress, isTooLarge } from './compression.ts';
import { asBuffer } from './outgoing-messages.ts';
import type { CallEnd } from './status.ts';

interface Framed {
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

export interface IncomingListener {
  onMessage(message: Buffer): void;
  /** Every message has been handed over, and no more will come. */
  onDrained(): void;
  /** The reader has caught up. */
  onRoom(): void;
  onFault(end: CallEnd): void;
}

/** The messages of one answer: handed over one at a time, as they are asked for, in order. */
export class IncomingMessages {
  readonly #maxBytes: number;
  readonly #on: IncomingListener;
  readonly #reader: FrameReader;
  readonly #queue: Framed[] = [];
  #algorithm: Algorithm = 'identity';
  /** One message is all that will ever be asked for: so it seems until one has come and another is asked for. */
  isSingle = false;
  #hasGiven = false;
  #isJudging = false;
  #isWanted = false;
  #isEnded = false;
  #isUnpacking = false;
  #isOver = false;

  constructor(maxBytes: number, on: IncomingListener) {
    this.#maxBytes = maxBytes;
    this.#on = on;
    const take = (bytes: Uint8Array, isCompressed: boolean): void => {
      this.#queue.push({ bytes, isCompressed });
    };
    this.#reader = new FrameReader(maxBytes, take, { takesCompressed: true });
  }

  /** As the head of the answer says. */
  set algorithm(algorithm: Algorithm) {
    this.#algorithm = algorithm;
  }

  /** False: enough for now, `onRoom` tells when there may be more. */
  push(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    const fault = this.#reader.push(chunk);
    this.#deliver();
    if (fault === 'too-large') this.#fail(GRPC.resourceExhausted, this.#tooLarge());
    else if (fault !== undefined) this.#fail(GRPC.internal, 'Received a frame that is none of gRPC');
    return this.#queue.length === 0;
  }

  /** One more message is wanted. */
  read(): void {
    if (this.#hasGiven) this.isSingle = false;
    this.#isWanted = true;
    this.#deliver();
  }

  end(): void {
    this.#isEnded = true;
    if (!this.#reader.isAtBoundary) this.#fail(GRPC.internal, 'The answer ended in the middle of a message');
    else this.#deliver();
  }

  close(): void {
    this.#isOver = true;
    this.#queue.length = 0;
  }

  #deliver(): void {
    while (this.#isWanted && !this.#isUnpacking && !this.#isOver) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (next.isCompressed) this.#unpack(next.bytes);
      else this.#give(asBuffer(next.bytes));
      if (this.#queue.length === 0 && !this.#isEnded && !this.#isOver) this.#on.onRoom();
    }
    if (this.#isTooMany) this.#judge();
    if (this.#isEnded && this.#queue.length === 0 && !this.#isUnpacking && !this.#isOver) {
      this.#isOver = true;
      this.#on.onDrained();
    }
  }

  get #isTooMany(): boolean {
    return this.isSingle && !this.#isWanted && !this.#isUnpacking && this.#queue.length > 0;
  }

  /** A server that answers a unary call twice: nobody would ever read on. Who reads a stream does so within the turn. */
  #judge(): void {
    if (this.#isJudging) return;
    this.#isJudging = true;
    setImmediate(() => {
      this.#isJudging = false;
      if (this.#isTooMany) this.#fail(GRPC.unimplemented, 'Too many responses received');
    });
  }

  #give(message: Buffer): void {
    this.#isWanted = false;
    this.#hasGiven = true;
    this.#on.onMessage(message);
  }

  #unpack(bytes: Uint8Array): void {
    const algorithm = this.#algorithm;
    if (algorithm === 'identity') {
      // gRPC compression.md: a compressed message without an encoding is the server's fault.
      this.#fail(GRPC.internal, 'Received a compressed message although no grpc-encoding was announced');
      return;
    }
    this.#isUnpacking = true;
    decompress(algorithm, bytes, this.#maxBytes).then(
      (message) => {
        this.#isUnpacking = false;
        if (this.#isOver) return;
        this.#give(message);
        this.#deliver();
      },
      (error: unknown) => {
        this.#isUnpacking = false;
        if (isTooLarge(error)) this.#fail(GRPC.resourceExhausted, this.#tooLarge());
        else this.#fail(GRPC.internal, `Received a message that is not ${algorithm}`);
      },
    );
  }

  #tooLarge(): string {
    return `Received message larger than max (${this.#maxBytes} bytes)`;
  }

  #fail(code: number, details: string): void {
    if (this.#isOver) return;
    this.close();
    this.#on.onFault({ code, details });
  }
}
