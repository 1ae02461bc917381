import type { Socket } from 'node:net';
import type { ClientListener } from './client-listener.ts';
import { ConnectionFault, ERROR, FLAG, FRAME, LARGEST_WINDOW } from './codes.ts';
import { type Frame, FrameReader, type FrameSink } from './frame-reader.ts';
import { broken, checkFrame } from './frame-rules.ts';
import { FrameWriter } from './frame-writer.ts';
import { type Fields, HeaderBlocks } from './header-blocks.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { Patience } from './patience.ts';
import { type ClientLimits, type PeerSettings, preface, UNTOLD, withSettings } from './peer-settings.ts';
import { SendWindows, tooWide } from './send-windows.ts';
import { ClientStream } from './stream.ts';
import type { StreamConnection } from './stream-connection.ts';
import type { StreamListener } from './stream-listener.ts';
import { StreamTable } from './stream-table.ts';
import { throwLater } from './throw-later.ts';

/**
 * The client's end of an HTTP/2 connection (RFC 9113): frames, windows and header tables, no more. Streams are told by
 * callbacks, in the turn in which their frames come; what is sent in one turn is one write.
 */
export class Http2Client implements FrameSink, StreamConnection {
  readonly sending: SendWindows;
  readonly streamWindow: number;
  isOver = false;
  #hasEnded = false;
  readonly #socket: Socket;
  readonly #on: ClientListener;
  readonly #limits: ClientLimits;
  readonly #reader = new FrameReader(this);
  readonly #encoder = new HpackEncoder();
  readonly #blocks: HeaderBlocks;
  readonly #writer: FrameWriter;
  #peer: PeerSettings = UNTOLD;
  #hasSettings = false;
  readonly #streams = new StreamTable();
  /** The last that the peer will answer; undefined while it takes new ones. */
  #lastStream: number | undefined;
  #receiveWindow: number;
  #received = 0;
  readonly #patience = new Patience();
  #pinged: (() => void) | undefined;
  #fault: ConnectionFault | undefined;
  #reason: string | undefined;

  constructor(socket: Socket, limits: ClientLimits, on: ClientListener) {
    this.#socket = socket;
    this.#limits = limits;
    this.#on = on;
    this.#writer = new FrameWriter(socket);
    this.sending = new SendWindows(this.#writer);
    this.#blocks = new HeaderBlocks(limits);
    this.streamWindow = limits.streamWindow;
    this.#receiveWindow = limits.connectionWindow;
    this.#begin();
  }

  /** Throws for headers that cannot be sent; undefined where there can be no further streams. */
  request(headers: readonly string[], isEnd: boolean, on: StreamListener): ClientStream | undefined {
    if (this.isOver || this.#lastStream !== undefined) return undefined;
    this.#encoder.check(headers);
    const id = this.#streams.takeId();
    if (id === undefined) return undefined;
    this.#writer.headers(id, this.#encoder.encode(headers), isEnd);
    const isHead = headers[0] === ':method' && headers[1] === 'HEAD';
    const stream = new ClientStream(this, { id, sendWindow: this.#peer.initialWindow, isSent: isEnd, isHead }, on);
    this.#streams.add(stream);
    return stream;
  }

  /** One at a time; `answered` when the peer has answered. */
  ping(answered: () => void): void {
    this.#pinged = answered;
    this.#writer.frame(FRAME.ping, 0, 0, PING);
  }

  /** Ends the connection and whatever is on it. */
  destroy(reason?: string): void {
    if (this.#socket.destroyed) return;
    this.#reason ??= reason;
    this.isOver = true;
    this.#writer.words(FRAME.goAway, 0, 0, this.#fault?.code ?? ERROR.none);
    this.#writer.flush();
    // A peer that reads nothing would keep it for ever.
    if (this.#streams.size > 0 || this.#fault !== undefined || this.#socket.writableLength > 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  closed(stream: ClientStream): void {
    this.#streams.delete(stream);
    this.sending.forget(stream);
  }

  onFrame(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const { type } = frame;
    if (!this.#hasSettings && (type !== FRAME.settings || frame.flags & FLAG.ack)) throw broken('no SETTINGS first');
    if (this.#blocks.isWithin && type !== FRAME.continuation) throw broken('a header block that does not go on');
    checkFrame(frame, to - from);
    this.#patience.frame(to - from);
    switch (type) {
      case FRAME.headers:
        this.#headers(frame, bytes, from, to);
        break;
      case FRAME.data:
        this.#paddedData(frame, bytes, from, to);
        break;
      case FRAME.windowUpdate:
        this.#windowUpdate(frame, bytes, from);
        break;
      case FRAME.resetStream:
        this.#streams.known(frame)?.onReset(bytes.readUInt32BE(from));
        break;
      case FRAME.settings:
        this.#settings(frame, bytes, from, to);
        break;
      case FRAME.ping:
        this.#pingFrame(frame, bytes, from, to);
        break;
      case FRAME.goAway:
        this.#goAway(bytes, from);
        break;
      case FRAME.continuation:
        this.#onFields(this.#blocks.goOn(frame, bytes, from, to));
        break;
      case FRAME.pushPromise:
        throw broken('a push, which was declined');
      default:
      // PRIORITY says nothing any more (RFC 9113 §5.3.2), and unknown types are ignored (§5.5).
    }
  }

  onDataFrame(frame: Frame, length: number): void {
    this.#patience.frame(0);
    if (!this.#hasSettings || this.#blocks.isWithin) throw broken('data where there can be none');
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw new ConnectionFault(ERROR.flowControl, 'more data than the window allows');
    this.#received += length;
    this.#streams.known(frame)?.onDataFrame(length, (frame.flags & FLAG.endStream) !== 0);
    // Whoever reads slowly holds up his own stream, not the others.
    if (this.#received * 2 < this.#limits.connectionWindow) return;
    this.#writer.words(FRAME.windowUpdate, 0, this.#received);
    this.#receiveWindow += this.#received;
    this.#received = 0;
  }

  onData({ stream, flags }: Frame, chunk: Buffer, isLast: boolean): void {
    this.#streams.get(stream)?.onData(chunk, isLast && (flags & FLAG.endStream) !== 0);
  }

  /** Padded. */
  #paddedData(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const end = to - (bytes[from] ?? 0);
    if (to === from || end < from + 1) throw broken('padding longer than its frame');
    const isEmpty = end === from + 1;
    this.onDataFrame(isEmpty ? frame : { ...frame, flags: frame.flags & ~FLAG.endStream }, to - from);
    const stream = this.#streams.get(frame.stream);
    stream?.consume(to - end + 1);
    if (!isEmpty) stream?.onData(bytes.subarray(from + 1, end), (frame.flags & FLAG.endStream) !== 0);
    else if (frame.flags & FLAG.endStream) stream?.onDataFrame(0, true);
  }

  #headers(frame: Frame, bytes: Buffer, from: number, to: number): void {
    this.#streams.known(frame);
    this.#onFields(this.#blocks.begin(frame, bytes, from, to));
  }

  #onFields(fields: Fields | undefined): void {
    if (fields === undefined) return;
    const { frame, list } = fields;
    this.#streams.get(frame.stream)?.onFields(list, (frame.flags & FLAG.endStream) !== 0);
  }

  #settings({ flags }: Frame, bytes: Buffer, from: number, to: number): void {
    if (flags & FLAG.ack) {
      if (to > from) throw new ConnectionFault(ERROR.frameSize, 'an answer to SETTINGS that says something');
      this.#blocks.acknowledged();
      return;
    }
    this.#patience.settings();
    const before = this.#peer;
    this.#peer = withSettings(before, bytes, from, to);
    this.#hasSettings = true;
    this.#encoder.tableLimit = this.#peer.leastTableSize;
    this.#encoder.tableLimit = this.#peer.tableSize;
    this.sending.peerFrameSize = this.#peer.frameSize;
    this.#acknowledge(FRAME.settings, EMPTY);
    const wider = this.#peer.initialWindow - before.initialWindow;
    if (wider !== 0 && !this.#streams.widen(wider)) throw tooWide();
    if (wider > 0) this.#streams.each((stream) => stream.roomAgain());
    this.#on.onSettings(this.#peer);
  }

  #pingFrame({ flags }: Frame, bytes: Buffer, from: number, to: number): void {
    if ((flags & FLAG.ack) === 0) {
      this.#acknowledge(FRAME.ping, bytes.subarray(from, to));
      return;
    }
    const pinged = this.#pinged;
    this.#pinged = undefined;
    pinged?.();
  }

  #goAway(bytes: Buffer, from: number): void {
    const lastStream = bytes.readUInt32BE(from) & LARGEST_WINDOW;
    const code = bytes.readUInt32BE(from + 4);
    const before = this.#lastStream ?? LARGEST_WINDOW;
    this.#lastStream = Math.min(lastStream, before);
    if (code !== ERROR.none) this.#reason ??= `GOAWAY with code ${code}`;
    try {
      this.#on.onGoAway(lastStream, code);
    } finally {
      // One of the last streams that says no less says nothing to them.
      if (lastStream < before)
        this.#streams.each((stream) => stream.id > lastStream && stream.drop(ERROR.refusedStream));
    }
  }

  #windowUpdate(frame: Frame, bytes: Buffer, from: number): void {
    const by = bytes.readUInt32BE(from) & LARGEST_WINDOW;
    if (frame.stream === 0) {
      if (by === 0) throw broken('WINDOW_UPDATE of nothing');
      this.sending.widen(by);
    } else {
      const stream = this.#streams.known(frame);
      if (stream === undefined) return;
      if (by === 0) stream.fail(ERROR.protocol);
      else if (!stream.widen(by)) stream.fail(ERROR.flowControl);
      else stream.roomAgain();
    }
  }

  #begin(): void {
    const socket = this.#socket;
    this.#writer.raw(preface(this.#limits));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => {
      this.#patience.drained();
      this.sending.drained();
    });
    socket.on('end', () => socket.destroy());
    socket.on('error', (error) => {
      this.#reason ??= error.message;
    });
    socket.once('close', () => this.#end());
    if (socket.destroyed) process.nextTick(() => this.#end());
  }

  #read(chunk: Buffer): void {
    this.#patience.read();
    this.#reader.push(chunk);
    for (;;) {
      try {
        this.#reader.run();
        break;
      } catch (error) {
        if (error instanceof ConnectionFault) {
          this.#fail(error);
          return;
        }
        throwLater(error);
      }
    }
    if (this.#patience.takeRest()) this.#rest();
  }

  /** The socket reads megabytes in one turn: the other connections are not to wait for a million tiny frames. */
  #rest(): void {
    this.#socket.pause();
    setImmediate(() => this.#socket.resume());
  }

  #fail(fault: ConnectionFault): void {
    this.#fault = fault;
    this.destroy(fault.message);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.isOver = true;
    try {
      this.#on.onEnded(this.#reason, this.#fault);
    } finally {
      this.#streams.each((stream) => stream.drop(ERROR.cancel));
    }
  }

  #acknowledge(type: number, payload: Uint8Array): void {
    if (this.#writer.isFull) this.#patience.unreadAck();
    this.#writer.answer(type, FLAG.ack, 0, payload);
  }
}

const EMPTY = new Uint8Array(0);
const PING = new Uint8Array(8);
