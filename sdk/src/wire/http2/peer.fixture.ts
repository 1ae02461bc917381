import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { Http2Client } from './client.ts';
import type { ClientListener } from './client-listener.ts';
import type { ConnectionFault } from './codes.ts';
import type { ClientLimits, PeerSettings } from './peer-settings.ts';
import type { ClientStream } from './stream.ts';
import type { StreamListener } from './stream-listener.ts';

/** A client over a real socket, and peers that send what no server would. */

export const LIMITS: ClientLimits = {
  streamWindow: 65_536,
  connectionWindow: 1 << 20,
  headerTableSize: undefined,
  maxHeaderListSize: 16_384,
  maxHeaderFields: 128,
};

/** What one stream was told. */
export class Told implements StreamListener {
  readonly events: string[] = [];
  status = 0;
  headers: string[] = [];
  trailers: string[] | undefined;
  readonly chunks: Buffer[] = [];
  closedWith: number | undefined;
  rooms = 0;
  isSent = false;
  readonly closed: Promise<void>;
  readonly #close: () => void;
  onChunk: (() => void) | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onInformational(status: number): void {
    this.events.push(`info ${status}`);
  }

  onHead(status: number, headers: string[]): void {
    this.events.push('head');
    this.status = status;
    this.headers = headers;
  }

  onData(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.onChunk?.();
  }

  onEnd(trailers: string[]): void {
    this.events.push('end');
    this.trailers = trailers;
  }

  onSent(): void {
    this.isSent = true;
  }

  onRoom(): void {
    this.rooms++;
  }

  onClosed(code: number): void {
    this.events.push(`closed ${code}`);
    this.closedWith = code;
    this.#close();
  }
}

export interface Connected {
  readonly client: Http2Client;
  readonly socket: Socket;
  readonly peer: PeerSettings;
  readonly goneAway: [number, number][];
  readonly ended: Promise<ConnectionFault | undefined>;
  /** A GET, unless told otherwise. */
  ask(headers?: readonly string[], isEnd?: boolean): { readonly told: Told; readonly stream: ClientStream };
}

export const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'peer', ':path', '/'];
export const POST = [':method', 'POST', ':scheme', 'http', ':authority', 'peer', ':path', '/'];

export async function connectTo(port: number, limits: Partial<ClientLimits> = {}): Promise<Connected> {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return connectOver(socket, limits);
}

/** Over a socket that is connected. */
export async function connectOver(socket: Socket, limits: Partial<ClientLimits> = {}): Promise<Connected> {
  const ended = Promise.withResolvers<ConnectionFault | undefined>();
  const ready = Promise.withResolvers<PeerSettings>();
  const goneAway: [number, number][] = [];
  const on: ClientListener = {
    onSettings: (peer) => ready.resolve(peer),
    onGoAway: (last, code) => goneAway.push([last, code]),
    onEnded(_, fault) {
      ready.resolve(undefined as never);
      ended.resolve(fault);
    },
  };
  const client = new Http2Client(socket, { ...LIMITS, ...limits }, on);
  const peer = await ready.promise;
  return {
    ...{ client, socket, peer, goneAway, ended: ended.promise },
    ask(headers = GET, isEnd = true) {
      const told = new Told();
      const stream = client.request(headers, isEnd, told);
      if (stream === undefined) throw new Error('the client takes no requests');
      return { told, stream };
    },
  };
}

export const frame = (type: number, flags: number, stream: number, payload: Uint8Array | readonly number[] = []) => {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
};

/** A field without an index, as a block has it. */
export const literal = (name: string, value: string): number[] => [
  ...[0, name.length, ...Buffer.from(name)],
  ...[value.length, ...Buffer.from(value)],
];

/** SETTINGS without any, and the answer to the client's. */
export const HELLO = Buffer.concat([frame(4, 0, 0), frame(4, 1, 0)]);

export interface RawPeer {
  readonly port: number;
  /** What has come on its last connection. */
  readonly received: Buffer[];
  readonly sockets: Set<Socket>;
  close(): void;
}

/** Says hello, then sends `answer` when the first HEADERS frame has come. */
export async function startRawPeer(answer: (socket: Socket) => void, hello: Uint8Array = HELLO): Promise<RawPeer> {
  const sockets = new Set<Socket>();
  const received: Buffer[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.write(hello);
    let hasAnswered = false;
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (hasAnswered || !hasHeaders(Buffer.concat(received))) return;
      hasAnswered = true;
      answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...{ port: (server.address() as AddressInfo).port, received, sockets },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Those of a file of tests, closed together. */
export class RawPeers {
  readonly #peers: RawPeer[] = [];

  async start(answer: (socket: Socket) => void, hello?: Uint8Array): Promise<RawPeer> {
    const peer = await startRawPeer(answer, hello);
    this.#peers.push(peer);
    return peer;
  }

  that(...frames: readonly Uint8Array[]): Promise<RawPeer> {
    return this.start((socket) => socket.write(Buffer.concat(frames)));
  }

  close(): void {
    for (const peer of this.#peers.splice(0)) peer.close();
  }
}

/** The frames of what a client has sent, behind its preface. */
export function framesOf(bytes: Buffer): { type: number; flags: number; stream: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 24; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({ type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, stream: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

const hasHeaders = (bytes: Buffer): boolean => framesOf(bytes).some(({ type }) => type === 1);
