import { AnswerRules } from './answer-rules.ts';
import { Backlog } from './backlog.ts';
import { ERROR, FLAG, FRAME, LARGEST_WINDOW } from './codes.ts';
import type { Sender } from './send-windows.ts';
import type { StreamConnection, StreamInit } from './stream-connection.ts';
import type { StreamListener } from './stream-listener.ts';
import { throwLater } from './throw-later.ts';

const NOTHING: string[] = [];

/** One request and its answer. */
export class ClientStream implements Sender {
  readonly id: number;
  readonly #connection: StreamConnection;
  readonly #on: StreamListener;
  readonly #rules: AnswerRules;
  #sendWindow: number;
  /** Chunks that wait for a window. */
  readonly #out: Uint8Array[] = [];
  /** A `write` has returned false. */
  #wantsRoom = false;
  #isEnding = false;
  #isSent: boolean;
  #receiveWindow: number;
  #consumed = 0;
  /** Chunks that came while it was paused. */
  #in: Backlog | undefined;
  #isPaused = false;
  #isWaking = false;
  /** The answer has come whole; with these. */
  #trailers: string[] | undefined;
  #isOver = false;

  constructor(connection: StreamConnection, { id, sendWindow, isSent, isHead }: StreamInit, on: StreamListener) {
    this.#connection = connection;
    this.#on = on;
    this.id = id;
    this.#sendWindow = sendWindow;
    this.#isSent = isSent;
    this.#rules = new AnswerRules(isHead);
    this.#receiveWindow = connection.streamWindow;
  }

  /** It has ended on both sides, or was reset. */
  get isClosed(): boolean {
    return this.#isOver;
  }

  /** False asks to wait for `onRoom`. */
  write(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#isEnding || this.#isSent) return true;
    if (chunk.length > 0) this.#out.push(chunk);
    this.#sendAll();
    const { sending } = this.#connection;
    if (this.#out.length === 0 && !sending.writer.isFull) return true;
    if (this.#out.length === 0) sending.crowded(this);
    this.#wantsRoom = true;
    return false;
  }

  end(chunk?: Uint8Array): void {
    if (this.#isOver || this.#isEnding || this.#isSent) return;
    this.#isEnding = true;
    if (chunk !== undefined && chunk.length > 0) this.#out.push(chunk);
    this.#sendAll();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** What has come meanwhile is handed over a moment later. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      this.#handOver();
    });
  }

  reset(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.sending.writer.words(FRAME.resetStream, this.id, code);
    this.#connection.closed(this);
    process.nextTick(() => this.#on.onClosed(code));
  }

  /** One frame of what waits for a window; false: there was none to send. */
  #sendSome(): boolean {
    const chunk = this.#out[0];
    if (this.#isOver || chunk === undefined) return false;
    const { sending } = this.#connection;
    const length = Math.min(chunk.length, this.#sendWindow, sending.left, sending.peerFrameSize);
    if (length <= 0) return false;
    const isWhole = length === chunk.length;
    if (isWhole) this.#out.shift();
    else this.#out[0] = chunk.subarray(length);
    const isLast = this.#isEnding && this.#out.length === 0;
    this.#sendWindow -= length;
    sending.left -= length;
    sending.writer.frame(FRAME.data, isLast ? FLAG.endStream : 0, this.id, isWhole ? chunk : chunk.subarray(0, length));
    if (isLast) this.#sent();
    return true;
  }

  sendNext(): void {
    this.#sendSome();
    if (this.#out.length === 0) this.roomAgain();
    else if (this.#sendWindow > 0) this.#connection.sending.wait(this);
  }

  /** Its window is wider, or the socket has room again. */
  roomAgain(): void {
    if (this.#out.length > 0) this.#sendAll();
    if (!this.#wantsRoom || this.#isOver || this.#isEnding || this.#out.length > 0) return;
    const { sending } = this.#connection;
    if (sending.writer.isFull) {
      sending.crowded(this);
      return;
    }
    this.#wantsRoom = false;
    this.#on.onRoom();
  }

  #sendAll(): void {
    while (this.#sendSome());
    if (this.#isOver) return;
    if (this.#out.length > 0) {
      if (this.#sendWindow > 0) this.#connection.sending.wait(this);
    } else if (this.#isEnding && !this.#isSent) {
      this.#connection.sending.writer.frame(FRAME.data, FLAG.endStream, this.id, EMPTY);
      this.#sent();
    }
  }

  #sent(): void {
    this.#isSent = true;
    const isLast = this.#trailers !== undefined && this.#in === undefined;
    if (isLast) this.#close();
    try {
      this.#on.onSent();
    } finally {
      if (isLast) this.#on.onClosed(ERROR.none);
    }
  }

  /** A header block; undefined: larger than may be. Wrong ones end the stream, not the connection (RFC 9113 §8.1.1). */
  onFields(fields: string[] | undefined, isEnd: boolean): void {
    if (this.#trailers !== undefined) this.fail(ERROR.streamClosed);
    else if (fields === undefined) this.fail(ERROR.enhanceYourCalm);
    else if (!this.#rules.hasHead) this.#onHead(fields, isEnd);
    else if (this.#rules.areTrailers(fields, isEnd)) this.#answered(fields);
    else this.fail(ERROR.protocol);
  }

  #onHead(fields: string[], isEnd: boolean): void {
    const head = this.#rules.head(fields, isEnd);
    if (typeof head === 'number') {
      this.fail(head);
      return;
    }
    if (head.status < 200) {
      this.#on.onInformational(head.status, head.headers);
      return;
    }
    try {
      this.#on.onHead(head.status, head.headers);
    } finally {
      if (isEnd) this.#answered(NOTHING);
    }
  }

  /** A frame of data begins: `length` counts for the window, with its padding. */
  onDataFrame(length: number, isEnd: boolean): void {
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) this.fail(ERROR.flowControl);
    else if (!this.#rules.hasHead) this.fail(ERROR.protocol);
    else if (this.#trailers !== undefined) this.fail(ERROR.streamClosed);
    else if (isEnd && length === 0) this.#answered(NOTHING);
  }

  onData(chunk: Buffer, isEnd: boolean): void {
    if (this.#isOver) return;
    if (!this.#rules.takes(chunk.length)) {
      this.fail(ERROR.protocol);
      return;
    }
    if (this.#isPaused || this.#in !== undefined) {
      this.#in ??= new Backlog();
      this.#in.push(chunk);
      if (isEnd) this.#answered(NOTHING);
      return;
    }
    try {
      this.#give(chunk);
    } finally {
      if (isEnd) this.#answered(NOTHING);
    }
  }

  onReset(code: number): void {
    // RFC 9113 §8.1: a server that has answered may want no more of the request.
    if (this.#trailers !== undefined && code === ERROR.none) {
      this.#isSent = true;
      this.#out.length = 0;
      if (this.#in === undefined) this.drop(code);
      return;
    }
    this.drop(code);
  }

  /** It is over, and nothing of it is sent any more. */
  drop(code: number): void {
    if (this.#isOver) return;
    this.#close();
    this.#on.onClosed(code);
  }

  #answered(trailers: string[]): void {
    if (this.#isOver) return;
    if (!this.#rules.mayEnd) {
      this.fail(ERROR.protocol);
      return;
    }
    this.#trailers = trailers;
    if (this.#in === undefined && !this.#isPaused) this.#finish(trailers);
    else this.#in ??= new Backlog();
  }

  #finish(trailers: string[]): void {
    if (!this.#isSent) {
      this.#on.onEnd(trailers);
      return;
    }
    this.#close();
    try {
      this.#on.onEnd(trailers);
    } finally {
      this.#on.onClosed(ERROR.none);
    }
  }

  #handOver(): void {
    const chunks = this.#in;
    if (chunks === undefined) return;
    while (!this.#isPaused && !this.#isOver) {
      const chunk = chunks.shift();
      if (chunk === undefined) break;
      try {
        this.#give(chunk);
      } catch (error) {
        throwLater(error);
      }
    }
    if (this.#isPaused || this.#isOver) return;
    this.#in = undefined;
    if (this.#trailers !== undefined) this.#finish(this.#trailers);
  }

  #give(chunk: Buffer): void {
    this.consume(chunk.length);
    this.#on.onData(chunk);
  }

  /** It has been read, or is padding. */
  consume(length: number): void {
    this.#consumed += length;
    if (this.#consumed * 2 < this.#connection.streamWindow || this.#trailers !== undefined) return;
    this.#connection.sending.writer.words(FRAME.windowUpdate, this.id, this.#consumed);
    this.#receiveWindow += this.#consumed;
    this.#consumed = 0;
  }

  /** The peer has broken a rule of this stream. */
  fail(code: number): void {
    if (this.#isOver) return;
    this.#connection.sending.writer.words(FRAME.resetStream, this.id, code);
    this.drop(code);
  }

  #close(): void {
    this.#isOver = true;
    this.#out.length = 0;
    this.#in = undefined;
    this.#connection.closed(this);
  }

  /** WINDOW_UPDATE, or a change of the peer's initial window. False: more than a window can be (RFC 9113 §6.9.1). */
  widen(by: number): boolean {
    this.#sendWindow += by;
    return this.#sendWindow <= LARGEST_WINDOW;
  }
}

const EMPTY = new Uint8Array(0);
