import type http2 from 'node:http2';
import type net from 'node:net';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { http2Settings, type SessionKind } from './http2-settings.ts';
import { createKeepalive } from './keepalive.ts';
import { afterSockets } from './late-timer.ts';

/** HTTP/2 error code ENHANCE_YOUR_CALM, with which a gRPC server says "too_many_pings" (gRFC A8). */
const ENHANCE_YOUR_CALM = 11;

export interface SessionListener {
  /** The connection stands, and the peer speaks HTTP/2. */
  connected(): void;
  /** The peer asks for fewer PINGs. */
  calm?(): void;
  /** The peer takes no new streams. */
  goingAway?(): void;
  /** Exactly once; `reason` is for humans. */
  ended(reason: string): void;
}

export interface ClientSession {
  request(headers: http2.OutgoingHttpHeaders): http2.ClientHttp2Stream;
  ref(): void;
  unref(): void;
  /** Lets the open streams end, for a moment, then ends the connection. */
  close(): void;
  /** Ends the connection at once. */
  destroy(reason?: string): void;
}

export interface SessionOptions {
  readonly kind: SessionKind;
  readonly clock: Clock;
  /** In place of the kind's own. */
  readonly pingIntervalMs?: number;
}

/**
 * One HTTP/2 client connection of `node:http2` to a control plane, on a socket that is there already, or will be: opened with a deadline, kept honest by PINGs,
 * unref'd unless told otherwise.
 */
export function startSession(
  socket: net.Socket,
  origin: string,
  options: SessionOptions,
  on: SessionListener,
): ClientSession {
  const { clock } = options;
  const kind = http2Settings(options.kind);
  // As an import it costs half as much again: every name it exports is read.
  const session = process.getBuiltinModule('node:http2').connect(origin, {
    ...kind.options,
    createConnection: () => socket,
  });
  let reason: string | undefined;
  let isOver = false;
  const intervalMs = options.pingIntervalMs ?? kind.pingIntervalMs;
  const timeoutMs = kind.pingTimeoutMs;
  const keepalive = createKeepalive({
    ping(answered) {
      if (!session.destroyed) session.ping((error) => error === null && answered());
    },
    ...{ clock, intervalMs, timeoutMs, onDead: destroy },
  });
  const connectMs = defaultOf('connectTimeoutMs');
  const connectTimer = afterSockets(clock, connectMs, () => {
    destroy(`no connection within ${connectMs} ms`);
  });

  function destroy(why?: string): void {
    reason ??= why;
    const isClosing = session.closed;
    // With the error, so that the streams on it learn why too.
    if (!session.destroyed) session.destroy(why === undefined ? undefined : new Error(why));
    // Of a session that was closing (after a GOAWAY) Node waits for the peer's end, for as long as that takes.
    if (isClosing) socket.destroySoon();
  }

  socket.setNoDelay(true);
  socket.unref();
  session.on('connect', () => session.setLocalWindowSize(kind.connectionWindow));
  // A port that takes connections and never speaks is no peer: HTTP/2 begins with its SETTINGS (RFC 9113 §3.4).
  session.once('remoteSettings', () => {
    connectTimer.cancel();
    keepalive.start();
    on.connected();
  });
  // Node closes the session by itself on GOAWAY: streams that stand go on, new ones need another session (RFC 9113 §6.8).
  session.on('goaway', (code) => {
    if (code === ENHANCE_YOUR_CALM) on.calm?.();
    reason ??= code === 0 ? undefined : `GOAWAY with code ${code}`;
    on.goingAway?.();
  });
  session.on('error', (error) => {
    reason ??= error.message;
  });
  session.on('close', () => {
    if (isOver) return;
    isOver = true;
    connectTimer.cancel();
    keepalive.stop();
    on.ended(reason ?? 'the connection was closed');
  });

  return {
    request: (headers) => session.request(headers),
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close() {
      if (socket.connecting) return destroy();
      session.close();
      clock.after(defaultOf('drainMs'), () => destroy());
    },
    destroy,
  };
}
