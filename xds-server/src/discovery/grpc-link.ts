import { constants } from 'node:http2';
import { Duplex } from 'node:stream';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { Session } from './session.ts';
import type { Link } from './session-host.ts';

export type AdsCall = ServerDuplexStream<Buffer, Buffer>;

interface StreamBelow {
  close(code: number): void;
  readonly session?: { readonly socket?: unknown; close(): void } | undefined;
}

/** The HTTP/2 stream below a call: grpc-js does not show it, and has no other way to let go of a peer that reads nothing. */
export function streamBelow(call: object): StreamBelow | undefined {
  let below: unknown = Reflect.get(call, 'call');
  for (let depth = 0; depth < 4 && typeof below === 'object' && below !== null; depth++) {
    const stream: unknown = Reflect.get(below, 'stream');
    if (stream instanceof Duplex && 'close' in stream && typeof stream.close === 'function')
      return stream as Duplex & StreamBelow;
    below = Reflect.get(below, 'nextCall');
  }
  return undefined;
}

export interface LinkDeps {
  readonly clock: Clock;
  readonly unreadMs: number;
  readonly session: () => Session;
  /** The peer is let go, so many bytes were on their way to it. */
  readonly stuck: (unread: number) => void;
}

/**
 * Counts what the peer has not taken yet: beyond a window's worth the stream is slow until it has taken all of it. Who takes
 * nothing for long is let go, since a status would wait behind what it does not read.
 */
export function linkOf(call: AdsCall, { clock, unreadMs, session, stuck }: LinkDeps): Link {
  let unread = 0;
  let isSlow = false;
  let patience: Timer | undefined;
  const wait = (): void => {
    patience?.cancel();
    patience = clock.after(unreadMs, () => {
      stuck(unread);
      streamBelow(call)?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  };
  return {
    send(bytes) {
      unread += bytes.length;
      call.write(bytes, () => {
        unread -= bytes.length;
        if (!isSlow) return;
        if (unread > 0) {
          wait();
          return;
        }
        patience?.cancel();
        isSlow = false;
        session().drained();
      });
      if (!isSlow && unread > defaultOf('unreadStreamBytes')) {
        isSlow = true;
        wait();
      }
      return !isSlow;
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    end(code, message) {
      patience?.cancel();
      if (code === status.OK) call.end();
      else endWith(call, code, message);
    },
  };
}

/** grpc-js makes a status of an error that carries one. */
export const endWith = (call: { emit(event: 'error', error: Error): boolean }, code: number, message: string): void => {
  call.emit('error', Object.assign(new Error(message), { code, details: message }));
};
