import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { type ClientHello, type HelloReading, readClientHello } from './client-hello.ts';

/** What the first bytes of a connection say it is. Nothing was taken away from it: they will be read again. */
export type FirstBytes =
  | { readonly transport: 'tls'; readonly hello: ClientHello }
  | { readonly transport: 'raw_buffer'; readonly isHttp2: boolean }
  | { readonly refused: string }
  /** It has said nothing and left, as who asks whether a port is open does. */
  | { readonly left: true };

export interface FirstBytesLimits {
  readonly timeoutMs: number;
  readonly longestHello: number;
}

/** The connection preface of HTTP/2 (RFC 9113 §3.4) begins as no request of HTTP/1.1 does. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * Reads until it can tell, and puts back what it read. Bounded in time (one timer for all of it, so a byte a second gains
 * nothing) and in memory (the longest ClientHello). Calls back once; never after the socket has closed.
 */
export function readFirstBytes(
  socket: Socket,
  clock: Clock,
  limits: FirstBytesLimits,
  done: (found: FirstBytes) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let wanted = 1;
  const settle = (found: FirstBytes | undefined): void => {
    timer.cancel();
    socket.off('readable', read);
    socket.off('end', ended);
    socket.off('close', closed);
    socket.off('error', ignore);
    if (found === undefined) return;
    if ('transport' in found) socket.unshift(Buffer.concat(chunks, length));
    done(found);
  };
  const read = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      chunks.push(chunk);
      length += chunk.length;
    }
    if (length < wanted) return;
    const bytes = Buffer.concat(chunks, length);
    chunks.splice(0, chunks.length, bytes);
    const found = judge(bytes, limits.longestHello);
    if ('wanted' in found) wanted = found.wanted;
    else settle(found);
  };
  const ended = (): void =>
    settle(length === 0 ? { left: true } : { refused: 'half-open: it ended before it said what it is' });
  const closed = (): void => settle(undefined);
  const timer = clock.after(limits.timeoutMs, () => settle({ refused: 'its first bytes did not come in time' }));
  socket.on('readable', read).on('end', ended).on('close', closed).on('error', ignore);
}

function judge(bytes: Buffer, longestHello: number): FirstBytes | { readonly wanted: number } {
  const reading: HelloReading = readClientHello(bytes, longestHello);
  switch (reading.kind) {
    case 'hello':
      return { transport: 'tls', hello: reading.hello };
    case 'malformed':
      return { refused: reading.reason };
    case 'more':
      return { wanted: reading.bytes };
    case 'other': {
      const common = Math.min(bytes.length, PREFACE.length);
      const isPreface = bytes.compare(PREFACE, 0, common, 0, common) === 0;
      if (isPreface && common < PREFACE.length) return { wanted: PREFACE.length };
      return { transport: 'raw_buffer', isHttp2: isPreface };
    }
  }
}

/** An error before anything is known is told by the close that follows. */
const ignore = (): void => {};
