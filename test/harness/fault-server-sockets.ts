import http2 from 'node:http2';
import net from 'node:net';

let lastRefusing = 1;

/** A low port that nobody listens on: one that was free a moment ago may soon be somebody else's. */
export async function refusingPort(): Promise<number> {
  for (;;) {
    const port = ++lastRefusing;
    const socket = net.connect(port, '127.0.0.1');
    const refuses = await new Promise((resolve) =>
      socket.on('connect', () => resolve(false)).on('error', () => resolve(true)),
    );
    socket.destroy();
    if (refuses) return port;
  }
}

/** After its GOAWAY and its last stream Node's server reads no more and would never hear of the peer's end: it closes by itself. */
export function goAway(stream: http2.ServerHttp2Stream, lastStream?: number): void {
  const { session } = stream;
  session?.goaway(http2.constants.NGHTTP2_NO_ERROR, lastStream);
  stream.once('close', () => session?.close());
}

/** A reset under a FIN that is being sent: Node (24.21) would neither say `close` nor end its thread. */
export function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
