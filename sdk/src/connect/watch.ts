import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { MeshError } from '../errors.ts';
import type { ResponseFlag } from '../model/events.ts';
import type { LiveConnectionStory } from './story.ts';

/** How long a connection may live; 0 or undefined: for ever. */
export interface ConnectionTerms {
  readonly idleMs: number;
  readonly maxDurationMs: number | undefined;
}

/** An idle connection is looked at four times in its idle time, so it ends between 1 and 1¼ of it. */
const ROUNDS = 4;

/**
 * Keeps the terms of an established connection without touching what flows on it: the driver's own socket timeout and
 * listeners stay the driver's. `ended` is called once, when it has closed.
 */
export function watchConnection(
  socket: Socket,
  { idleMs, maxDurationMs }: ConnectionTerms,
  { clock, story, ended }: { readonly clock: Clock; readonly story: LiveConnectionStory; readonly ended: () => void },
): void {
  const end = (flag: ResponseFlag | undefined, what: string): void => {
    if (flag !== undefined) story.raise(flag);
    const error = new MeshError('MESH_TIMEOUT', `${story.target}: ${what}`, flag === undefined ? {} : { flag });
    error.mesh = story;
    socket.destroy(error);
  };
  // Envoy TcpProxy.max_downstream_connection_duration: DT.
  const longest = maxDurationMs
    ? clock.after(maxDurationMs, () => end('DT', `the connection has lived its ${maxDurationMs} ms`))
    : undefined;
  const idle =
    idleMs > 0 ? watchIdle(socket, idleMs, clock, () => end(undefined, `no byte for ${idleMs} ms`)) : undefined;
  socket.once('close', () => {
    longest?.cancel();
    idle?.cancel();
    story.bytesIn = socket.bytesRead;
    story.bytesOut = socket.bytesWritten;
    ended();
  });
}

function watchIdle(socket: Socket, idleMs: number, clock: Clock, run: () => void): Timer {
  let seen = 0;
  let sinceMs = clock.now();
  const look = (): void => {
    const bytes = socket.bytesRead + socket.bytesWritten;
    if (bytes !== seen) {
      seen = bytes;
      sinceMs = clock.now();
    } else if (clock.now() - sinceMs >= idleMs) {
      run();
      return;
    }
    timer = clock.after(idleMs / ROUNDS, look);
  };
  let timer = clock.after(idleMs / ROUNDS, look);
  return { cancel: () => timer.cancel() };
}
