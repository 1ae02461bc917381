import type { Socket } from 'node:net';
import { ConnectionFault, ERROR, FLAG, FRAME, INITIAL, LARGEST_WINDOW, SETTING } from './codes.ts';
import { assertField } from './fields.ts';
import { type Frame, FrameReader, type FrameSink } from './frame-reader.ts';
import { broken, checkFrame } from './frame-rules.ts';
import { FrameWriter } from './frame-writer.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { type PeerSettings, preface, UNTOLD, withSettings } from './peer-settings.ts';
import { ClientStream, type StreamConnection, type StreamListener } from './stream.ts';

export interface ClientLimits {
  readonly streamWindow: number;
  /** RFC 9113's 65,535 at least. */
  readonly connectionWindow: number;
  /** What the peer's table of header fields may have; HTTP/2's 4,096 where undefined. */
  readonly headerTableSize: number | undefined;
  readonly maxHeaderListSize: number;
  readonly maxHeaderFields: number;
}

export interface ClientListener {
  /** The peer's SETTINGS, each time. */
  onSettings(peer: PeerSettings): void;
  onGoAway(lastStream: number, code: number): void;
  /** Once; nothing comes after it but the ends of its streams. `fault`: what the peer has done. */
  onEnded(reason: string | undefined, fault: ConnectionFault | undefined): void;
}

/** nghttp2's limits: frames a header block may be cut into, and answers that wait for a peer that does not read. */
const MAX_CONTINUATIONS = 8;
const MAX_UNREAD_ACKS = 1_000;

/**
 * The client's end of an HTTP/2 connection (RFC 9113): frames, windows and header tables, no more. Streams are told by
 * callbacks, in the turn in which their frames come; what is sent in one turn is one write.
 */
export class Http2Client implements FrameSink, StreamConnection {
  readonly writer: FrameWriter;
  sendWindow: number = INITIAL.window;
  readonly streamWindow: number;
  isOver = false;
  #hasEnded = false;
  readonly #socket: Socket;
  readonly #on: ClientListener;
  readonly #limits: ClientLimits;
  readonly #reader = new FrameReader(this);
  readonly #encoder = new HpackEncoder();
  readonly #decoder: HpackDecoder;
  #peer: PeerSettings = UNTOLD;
  #hasSettings = false;
  readonly #streams = new Map<number, ClientStream>();
  readonly #blocked = new Set<ClientStream>();
  readonly #crowded = new Set<ClientStream>();
  #nextId = 1;
  #isLeaving = false;
  #receiveWindow: number;
  #received = 0;
  /** A header block that is not whole. */
  #block: { readonly frame: Frame; readonly parts: Buffer[]; bytes: number } | undefined;
  #unreadAcks = 0;
  #pinged: (() => void) | undefined;
  #fault: ConnectionFault | undefined;
  #reason: string | undefined;

  constructor(socket: Socket, limits: ClientLimits, on: ClientListener) {
    this.#socket = socket;
    this.#limits = limits;
    this.#on = on;
    this.writer = new FrameWriter(socket);
    this.streamWindow = limits.streamWindow;
    this.#receiveWindow = limits.connectionWindow;
    const { headerTableSize: maxTable = INITIAL.tableSize, maxHeaderListSize, maxHeaderFields } = limits;
    this.#decoder = new HpackDecoder({ maxTable, maxList: maxHeaderListSize, maxFields: maxHeaderFields });
    this.#begin(maxTable);
  }

  get peerFrameSize(): number {
    return this.#peer.frameSize;
  }

  /** Throws for headers that cannot be sent; undefined where there can be no further streams. */
  request(headers: readonly string[], isEnd: boolean, on: StreamListener): ClientStream | undefined {
    if (this.isOver || this.#isLeaving || this.#nextId > LARGEST_WINDOW) return undefined;
    const encoder = this.#encoder;
    for (let i = 0; i < headers.length; i += 2) {
      const [name = '', value = ''] = [headers[i], headers[i + 1]];
      if (!encoder.isKnown(name, value)) assertField(name, value);
    }
    const id = this.#nextId;
    this.#nextId += 2;
    this.#sendHeaders(id, encoder.encode(headers), isEnd);
    const isHead = headers[0] === ':method' && headers[1] === 'HEAD';
    const stream = new ClientStream(this, { id, sendWindow: this.#peer.initialWindow, isSent: isEnd, isHead }, on);
    this.#streams.set(id, stream);
    return stream;
  }

  /** One at a time; `answered` when the peer has answered. */
  ping(answered: () => void): void {
    this.#pinged = answered;
    this.writer.frame(FRAME.ping, 0, 0, PING);
  }

  /** Ends the connection and whatever is on it. */
  destroy(reason?: string): void {
    if (this.#socket.destroyed) return;
    this.#reason ??= reason;
    this.isOver = true;
    this.writer.words(FRAME.goAway, 0, 0, this.#fault?.code ?? ERROR.none);
    this.writer.flush();
    // A peer that reads nothing would keep it for ever.
    if (this.#streams.size > 0 || this.#fault !== undefined || this.#socket.writableLength > 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  blocked(stream: ClientStream): void {
    this.#blocked.add(stream);
  }

  crowded(stream: ClientStream): void {
    this.#crowded.add(stream);
  }

  closed(stream: ClientStream): void {
    this.#streams.delete(stream.id);
    if (this.#blocked.size > 0) this.#blocked.delete(stream);
    if (this.#crowded.size > 0) this.#crowded.delete(stream);
  }

  onFrame(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const { type } = frame;
    if (!this.#hasSettings && (type !== FRAME.settings || frame.flags & FLAG.ack)) throw broken('no SETTINGS first');
    if (this.#block !== undefined && type !== FRAME.continuation) throw broken('a header block that does not go on');
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
        this.#continuation(frame, bytes, from, to);
        break;
      case FRAME.pushPromise:
        throw broken('a push, which was declined');
      default:
      // PRIORITY says nothing any more (RFC 9113 §5.3.2), and unknown types are ignored (§5.5).
    }
  }

  onDataFrame(frame: Frame, length: number): void {
    if (!this.#hasSettings || this.#block !== undefined) throw broken('data where there can be none');
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw new ConnectionFault(ERROR.flowControl, 'more data than the window allows');
    this.#received += length;
    this.#known(frame)?.onDataFrame(length, (frame.flags & FLAG.endStream) !== 0);
    // Whoever reads slowly holds up his own stream, not the others.
    if (this.#received * 2 < this.#limits.connectionWindow) return;
    this.writer.words(FRAME.windowUpdate, 0, this.#received);
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
    let [start, end] = [from, to];
    if (frame.flags & FLAG.padded) end -= bytes[start++] ?? 0;
    if (frame.flags & FLAG.priority) start += 5;
    if (start > end || end > to) throw broken('HEADERS with more padding than there is room');
    if (frame.flags & FLAG.endHeaders) this.#fields(frame, bytes, start, end);
    else this.#block = { frame, parts: [Buffer.from(bytes.subarray(start, end))], bytes: end - start };
  }

  #continuation(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const block = this.#block;
    if (block === undefined || block.frame.stream !== frame.stream) throw broken('CONTINUATION of nothing');
    block.parts.push(Buffer.from(bytes.subarray(from, to)));
    block.bytes += to - from;
    if (block.parts.length > MAX_CONTINUATIONS || block.bytes > 2 * this.#limits.maxHeaderListSize) {
      throw new ConnectionFault(ERROR.enhanceYourCalm, 'a header block without an end');
    }
    if ((frame.flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    this.#fields(block.frame, Buffer.concat(block.parts), 0, block.bytes);
  }

  #settings({ flags }: Frame, bytes: Buffer, from: number, to: number): void {
    if (flags & FLAG.ack) return;
    const before = this.#peer;
    this.#peer = withSettings(before, bytes, from, to);
    this.#hasSettings = true;
    this.#encoder.tableLimit = this.#peer.tableSize;
    this.#acknowledge(FRAME.settings, EMPTY);
    const wider = this.#peer.initialWindow - before.initialWindow;
    if (wider !== 0) {
      for (const stream of this.#streams.values()) if (!stream.widen(wider)) throw tooWide();
      this.#sendBlocked();
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
      this.sendWindow += by;
      if (this.sendWindow > LARGEST_WINDOW) throw tooWide();
    } else {
      const stream = this.#known(frame);
      if (stream === undefined) return;
      if (by === 0) stream.fail(ERROR.protocol);
      else if (!stream.widen(by)) stream.fail(ERROR.flowControl);
    }
    this.#sendBlocked();
  }

  #begin(maxTable: number): void {
    const { streamWindow, connectionWindow, maxHeaderListSize } = this.#limits;
    const own = {
      ...(maxTable !== INITIAL.tableSize && { [SETTING.headerTableSize]: maxTable }),
      [SETTING.enablePush]: 0,
      [SETTING.initialWindowSize]: streamWindow,
      [SETTING.maxHeaderListSize]: maxHeaderListSize,
    };
    const socket = this.#socket;
    this.writer.raw(preface(own, connectionWindow));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
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

  #sendHeaders(id: number, block: Buffer, isEnd: boolean): void {
    const end = isEnd ? FLAG.endStream : 0;
    const size = INITIAL.frameSize;
    if (block.length <= size) {
      this.writer.frame(FRAME.headers, FLAG.endHeaders | end, id, block);
      return;
    }
    // The encoder writes over its block; a frame of this size is handed on as it is.
    const own = Buffer.from(block);
    for (let at = 0; at < own.length; at += size) {
      const isLast = at + size >= own.length;
      const flags = (at === 0 ? end : 0) | (isLast ? FLAG.endHeaders : 0);
      this.writer.frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, id, own.subarray(at, at + size));
    }
  }

  #fields(frame: Frame, bytes: Buffer, from: number, to: number): void {
    const fields = this.#decoder.decode(bytes, from, to);
    this.#streams.get(frame.stream)?.onFields(fields, (frame.flags & FLAG.endStream) !== 0);
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
    if (this.writer.isFull && ++this.#unreadAcks > MAX_UNREAD_ACKS) {
      throw new ConnectionFault(ERROR.enhanceYourCalm, 'it asks for answers and does not read them');
    }
    this.writer.frame(type, FLAG.ack, 0, payload);
  }

  /** In turn, a frame of each. */
  #sendBlocked(): void {
    for (let hasSent = true; hasSent && this.sendWindow > 0; ) {
      hasSent = false;
      for (const stream of this.#blocked) if (stream.sendSome()) hasSent = true;
    }
    for (const stream of this.#blocked) {
      if (stream.isBlocked) continue;
      this.#blocked.delete(stream);
      stream.roomAgain();
    }
  }

  #drained(): void {
    this.#unreadAcks = 0;
    const crowded = [...this.#crowded];
    this.#crowded.clear();
    for (const stream of crowded) stream.roomAgain();
  }
}

const EMPTY = new Uint8Array(0);
const PING = new Uint8Array(8);
const tooWide = (): ConnectionFault =>
  new ConnectionFault(ERROR.flowControl, 'the peer made a window wider than there is');
