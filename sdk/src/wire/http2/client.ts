import type { Socket } from 'node:net';
import { ConnectionFault, ERROR, FLAG, FRAME, LARGEST_WINDOW } from './codes.ts';
import { type Frame, FrameReader, type FrameSink } from './frame-reader.ts';
import { broken, checkFrame } from './frame-rules.ts';
import { FrameWriter } from './frame-writer.ts';
import { type Fields, HeaderBlocks } from './header-blocks.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { type ClientLimits, type PeerSettings, preface, UNTOLD, withSettings } from './peer-settings.ts';
import { SendWindows, tooWide } from './send-windows.ts';
import { ClientStream, type StreamConnection } from './stream.ts';
import type { StreamListener } from './stream-listener.ts';

export interface ClientListener {
  /** The peer's SETTINGS, each time. */
  onSettings(peer: PeerSettings): void;
  onGoAway(lastStream: number, code: number): void;
  /** Once; nothing comes after it but the ends of its streams. `fault`: what the peer has done. */
  onEnded(reason: string | undefined, fault: ConnectionFault | undefined): void;
}

/** nghttp2's limit of answers that wait for a peer that does not read. */
const MAX_UNREAD_ACKS = 1_000;

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
  readonly #streams = new Map<number, ClientStream>();
  #nextId = 1;
  #isLeaving = false;
  #receiveWindow: number;
  #received = 0;
  #unreadAcks = 0;
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
    if (this.isOver || this.#isLeaving || this.#nextId > LARGEST_WINDOW) return undefined;
    this.#encoder.check(headers);
    const id = this.#nextId;
    this.#nextId += 2;
    this.#writer.headers(id, this.#encoder.encode(headers), isEnd);
    const isHead = headers[0] === ':method' && headers[1] === 'HEAD';
    const stream = new ClientStream(this, { id, sendWindow: this.#peer.initialWindow, isSent: isEnd, isHead }, on);
    this.#streams.set(id, stream);
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
    this.#streams.delete(stream.id);
    this.sending.forget(stream);
  }

  onFrame(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const { type } = frame;
    if (!this.#hasSettings && (type !== FRAME.settings || frame.flags & FLAG.ack)) throw broken('no SETTINGS first');
    if (this.#blocks.isWithin && type !== FRAME.continuation) throw broken('a header block that does not go on');
    checkFrame(frame, to - from);
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
        this.#known(frame)?.onReset(bytes.readUInt32BE(from));
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
    if (!this.#hasSettings || this.#blocks.isWithin) throw broken('data where there can be none');
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw new ConnectionFault(ERROR.flowControl, 'more data than the window allows');
    this.#received += length;
    this.#known(frame)?.onDataFrame(length, (frame.flags & FLAG.endStream) !== 0);
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
    stream?.skip(to - end + 1);
    if (!isEmpty) stream?.onData(bytes.subarray(from + 1, end), (frame.flags & FLAG.endStream) !== 0);
    else if (frame.flags & FLAG.endStream) stream?.onDataFrame(0, true);
  }

  #headers(frame: Frame, bytes: Buffer, from: number, to: number): void {
    this.#known(frame);
    this.#onFields(this.#blocks.begin(frame, bytes, from, to));
  }

  #onFields(fields: Fields | undefined): void {
    if (fields === undefined) return;
    const { frame, list } = fields;
    this.#streams.get(frame.stream)?.onFields(list, (frame.flags & FLAG.endStream) !== 0);
  }

  #settings({ flags }: Frame, bytes: Buffer, from: number, to: number): void {
    if (flags & FLAG.ack) return;
    const before = this.#peer;
    this.#peer = withSettings(before, bytes, from, to);
    this.#hasSettings = true;
    this.#encoder.tableLimit = this.#peer.tableSize;
    this.sending.peerFrameSize = this.#peer.frameSize;
    this.#acknowledge(FRAME.settings, EMPTY);
    const wider = this.#peer.initialWindow - before.initialWindow;
    if (wider !== 0) {
      for (const stream of this.#streams.values()) if (!stream.widen(wider)) throw tooWide();
      this.sending.send();
    }
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
    this.#isLeaving = true;
    if (code !== ERROR.none) this.#reason ??= `GOAWAY with code ${code}`;
    this.#on.onGoAway(lastStream, code);
    for (const stream of this.#streams.values()) if (stream.id > lastStream) stream.drop(ERROR.refusedStream);
  }

  #windowUpdate(frame: Frame, bytes: Buffer, from: number): void {
    const by = bytes.readUInt32BE(from) & LARGEST_WINDOW;
    if (frame.stream === 0) {
      if (by === 0) throw broken('WINDOW_UPDATE of nothing');
      this.sending.widen(by);
    } else {
      const stream = this.#known(frame);
      if (stream === undefined) return;
      if (by === 0) stream.fail(ERROR.protocol);
      else if (!stream.widen(by)) stream.fail(ERROR.flowControl);
    }
    this.sending.send();
  }

  #begin(): void {
    const socket = this.#socket;
    this.#writer.raw(preface(this.#limits));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => {
      this.#unreadAcks = 0;
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
    this.#reader.push(chunk);
    for (;;) {
      try {
        this.#reader.run();
        return;
      } catch (error) {
        if (error instanceof ConnectionFault) {
          this.#fail(error);
          return;
        }
        // Of a callback of somebody's: the process's, not the connection's.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #fail(fault: ConnectionFault): void {
    this.#fault = fault;
    this.destroy(fault.message);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.isOver = true;
    const streams = [...this.#streams.values()];
    this.#on.onEnded(this.#reason, this.#fault);
    for (const stream of streams) stream.drop(ERROR.cancel);
  }

  /** undefined: it is over, and what still comes of it is ignored. Throws for one that was never begun. */
  #known({ stream }: Frame): ClientStream | undefined {
    const known = this.#streams.get(stream);
    if (known === undefined && (stream === 0 || stream % 2 === 0 || stream >= this.#nextId)) {
      throw broken(`a frame of stream ${stream}, which there is not`);
    }
    return known;
  }

  #acknowledge(type: number, payload: Uint8Array): void {
    if (this.#writer.isFull && ++this.#unreadAcks > MAX_UNREAD_ACKS) {
      throw new ConnectionFault(ERROR.enhanceYourCalm, 'it asks for answers and does not read them');
    }
    this.#writer.frame(type, FLAG.ack, 0, payload);
  }
}

const EMPTY = new Uint8Array(0);
const PING = new Uint8Array(8);
