import net, { type Socket } from 'node:net';
import type { Clock, Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { patientTimer } from '../wire/late-timer.ts';
import { ConnectFailure, classifyConnectError } from './connect-failure.ts';
import { openTls, type TlsTarget } from './tls.ts';

export interface DialTarget {
  /** IP literal, host name or `unix:PATH`. */
  readonly address: string;
  readonly port: number;
  /** TLS with this peer; plain where undefined. */
  readonly tls: TlsTarget | undefined;
  readonly timeoutMs: number;
}

/** Exactly one of the two, unless the dial is cancelled first; never before `dial` has returned. */
export interface DialListener {
  connected(socket: Socket): void;
  failed(failure: ConnectFailure): void;
}

export interface Dial {
  /** Closes the half-open connection at once; nothing is called any more. */
  cancel(): void;
  /** Nobody waits for it any more: the process may end. */
  unref(): void;
}

/** Opens a connection: DNS, TCP (the first of IPv6 and IPv4 that answers) or a unix socket, then TLS. */
export function dial(target: DialTarget, deps: { clock: Clock; turn: Turn }, on: DialListener): Dial {
  let socket: Socket;
  try {
    socket = openSocket(target);
  } catch (error) {
    return failLater(error, on);
  }
  let isOver = false;
  const settle = (): boolean => {
    timer.cancel();
    if (isOver) return false;
    isOver = true;
    return true;
  };
  const timer = patientTimer(deps, target.timeoutMs, () => {
    if (!settle()) return;
    socket.destroy();
    on.failed(new ConnectFailure('timeout', `no connection within ${target.timeoutMs} ms`));
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, defaultOf('tcpKeepAliveMs'));
  socket.once(target.tls === undefined ? 'connect' : 'secureConnect', () => {
    if (settle()) on.connected(socket);
  });
  // Stays for the life of the socket: an idle one may fail at any time.
  socket.on('error', (error) => {
    if (settle()) on.failed(classifyConnectError(error, target.tls !== undefined && !socket.connecting));
  });
  return {
    cancel() {
      if (settle()) socket.destroy();
    },
    unref: () => socket.unref(),
  };
}

const UNIX = 'unix:';

function openSocket({ address, port, tls }: DialTarget): Socket {
  const where = address.startsWith(UNIX) ? { path: address.slice(UNIX.length) } : { host: address, port };
  return tls === undefined ? net.connect(where) : openTls(where, tls);
}

/** A target that cannot be dialled at all, such as a port out of range. */
function failLater(error: unknown, on: DialListener): Dial {
  let isCancelled = false;
  queueMicrotask(() => {
    if (!isCancelled) on.failed(classifyConnectError(error, false));
  });
  return {
    cancel() {
      isCancelled = true;
    },
    unref() {},
  };
}
