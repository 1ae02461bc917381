import net, { isIP, type Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

export interface Attempting {
  cancel(): void;
  unref(): void;
}

export interface FirstAddressListener {
  connected(socket: Socket): void;
  /** What the first address failed with. */
  failed(error: unknown): void;
}

/**
 * Connects to whichever of several addresses answers first (Happy Eyeballs, RFC 8305): both families in turn, the next
 * one when one has failed or has not answered for a moment; earlier ones go on meanwhile.
 */
export function connectFirst(
  addresses: readonly string[],
  port: number,
  clock: Clock,
  on: FirstAddressListener,
): Attempting {
  const left = inTurn(addresses);
  const sockets = new Set<Socket>();
  let error: unknown;
  let timer: Timer | undefined;
  let isOver = false;
  let isRefd = true;

  const end = (winner?: Socket): void => {
    isOver = true;
    timer?.cancel();
    for (const socket of sockets) if (socket !== winner) socket.destroy();
    sockets.clear();
  };

  const lost = (socket: Socket, reason: unknown): void => {
    if (isOver || !sockets.delete(socket)) return;
    error ??= reason;
    if (left.length > 0) next();
    else if (sockets.size === 0) {
      end();
      on.failed(error);
    }
  };

  function next(): void {
    timer?.cancel();
    const host = left.shift();
    if (host === undefined) return;
    const socket = net.connect({ host, port });
    if (!isRefd) socket.unref();
    sockets.add(socket);
    socket.on('error', (reason) => lost(socket, reason));
    socket.once('connect', () => {
      if (isOver) return;
      end(socket);
      on.connected(socket);
    });
    if (left.length > 0) timer = clock.after(defaultOf('nextAddressMs'), next);
  }

  next();
  return {
    cancel: end,
    unref() {
      isRefd = false;
      for (const socket of sockets) socket.unref();
    },
  };
}

/** RFC 8305 §4: the families in turn, beginning with that of the first one. */
function inTurn(addresses: readonly string[]): string[] {
  const family = isIP(addresses[0] ?? '');
  const same = addresses.filter((address) => isIP(address) === family);
  const other = addresses.filter((address) => isIP(address) !== family);
  const turns: string[] = [];
  for (let i = 0; i < Math.max(same.length, other.length); i++) {
    for (const address of [same[i], other[i]]) if (address !== undefined) turns.push(address);
  }
  return turns;
}
