import http2 from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A gRPC server by hand on its first connection, a good one on those that follow. */

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: readonly number[] | Uint8Array = [],
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

export const u32 = (...values: number[]): number[] => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return [...bytes];
};

/** HPACK, never indexed; lengths below 127 as one byte, others by the rules. */
export function fields(...list: readonly (readonly [string, string])[]): number[] {
  const text = (value: string): number[] => {
    const bytes = [...Buffer.from(value, 'latin1')];
    if (bytes.length < 127) return [bytes.length, ...bytes];
    const length: number[] = [127];
    let left = bytes.length - 127;
    for (; left > 127; left = Math.floor(left / 128)) length.push((left % 128) | 128);
    return [...length, left, ...bytes];
  };
  return list.flatMap(([name, value]) => [0x10, ...text(name), ...text(value)]);
}

/** `:status: 200` from the static table. */
const OK = 0x88;
export const HEAD_FIELDS: readonly number[] = [OK, ...fields(['content-type', 'application/grpc'])];
export const head = (stream: number): Buffer => frame(FRAME.headers, END_HEADERS, stream, HEAD_FIELDS);
export const trailers = (stream: number, ...list: (readonly [string, string])[]): Buffer =>
  frame(
    FRAME.headers,
    END_HEADERS | END_STREAM,
    stream,
    fields(...(list.length > 0 ? list : [['grpc-status', '0'] as const])),
  );
/** `hello` */
export const MESSAGE: readonly number[] = [0, 0, 0, 0, 5, ...Buffer.from('hello')];
export const data = (stream: number, flags = 0): Buffer => frame(FRAME.data, flags, stream, MESSAGE);

/** What is written when a request has come, whose stream is given. */
export type Script = (socket: Socket, stream: number) => void;

export interface ByHand {
  readonly port: number;
  connections(): number;
  close(): void;
}

export async function serveByHand(script: Script, settings: readonly number[] = []): Promise<ByHand> {
  const sockets = new Set<Socket>();
  const behind = http2.createServer();
  behind.on('session', (session) => session.on('error', () => {}));
  behind.on('stream', (stream) => {
    stream.on('error', () => {}).resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
    stream.end(Buffer.from(MESSAGE));
  });
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    if (++connections > 1) behind.emit('connection', socket);
    else speak(socket, script, settings);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const PREFACE = 24;

function speak(socket: Socket, script: Script, settings: readonly number[]): void {
  socket.write(frame(FRAME.settings, 0, 0, settings));
  let heard = Buffer.alloc(0);
  let from = PREFACE;
  socket.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    while (heard.length >= from + 9 && heard.length >= from + 9 + heard.readUIntBE(from, 3)) {
      if (heard[from + 3] === FRAME.headers) script(socket, heard.readUInt32BE(from + 5));
      from += 9 + heard.readUIntBE(from, 3);
    }
  });
}
