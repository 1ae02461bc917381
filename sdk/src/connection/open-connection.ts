import { addressText } from '../balancer/hash-key.ts';
import type { Clock, Turn } from '../clock.ts';
import { ConnectFailure } from './connect-failure.ts';
import { type Dial, dial } from './dial.ts';
import { withHttp1 } from './http1-client.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Lane, LaneDialListener } from './lane.ts';

export interface OpenConnectionDeps {
  readonly clock: Clock;
  readonly turn: Turn;
}

/** Dials the lane's host and puts an HTTP/1.1 client on the socket. */
export function openConnection(lane: Lane, deps: OpenConnectionDeps, on: LaneDialListener): Dial {
  const { host, tls, timeoutMs } = lane;
  const endpoint = addressText(host);
  let isCancelled = false;
  const dialling = dial({ address: host.address, port: host.port, tls, timeoutMs }, deps, {
    failed: on.failed,
    connected(socket) {
      withHttp1(
        (createClient) => {
          if (isCancelled) return;
          const client = createClient(socket, { origin: originOf(endpoint), idleMs: lane.limits.idleMs });
          on.connected(new Http1Connection({ socket, client, home: lane, endpoint, nowMs: deps.clock.now() }));
        },
        (error) => {
          socket.destroy();
          if (!isCancelled)
            on.failed(new ConnectFailure('unreachable', 'the HTTP/1.1 client could not be loaded', error));
        },
      );
      discard = () => socket.destroy();
    },
  });
  let discard = dialling.cancel;
  return {
    cancel() {
      isCancelled = true;
      discard();
    },
    unref: () => dialling.unref(),
  };
}

/** Only undici's diagnostics show it. */
function originOf(endpoint: string): string {
  const origin = `http://${endpoint}`;
  return endpoint.includes('/') || !URL.canParse(origin) ? 'http://localhost' : origin;
}
