import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressText } from '../balancer/hash-key.ts';
import type { Clock, Turn } from '../clock.ts';
import { ConnectFailure } from './connect-failure.ts';
import { type Dial, dial } from './dial.ts';
import { withHttp1 } from './http1-client.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Lane, LaneDialListener } from './lane.ts';
import { isHttp2 } from './tls.ts';

export interface OpenConnectionDeps {
  readonly clock: Clock;
  readonly turn: Turn;
}

/** Dials the lane's host and puts the lane's protocol on the socket. */
export function openConnection(lane: Lane, deps: OpenConnectionDeps, on: LaneDialListener): Dial {
  const { host, tls, timeoutMs, protocol } = lane;
  let isCancelled = false;
  const once: LaneDialListener = {
    connected(connection) {
      if (isCancelled) connection.close();
      else on.connected(connection);
    },
    failed(failure) {
      if (!isCancelled) on.failed(failure);
    },
  };
  const where = {
    address: host.address,
    port: host.port,
    addresses: host.endpoint?.addresses,
    reach: host.reach,
    tls,
    timeoutMs,
    keepAliveMs: lane.cluster?.tcpKeepAlive?.timeMs,
  };
  const dialling = dial(where, deps, {
    failed: on.failed,
    connected(socket) {
      discard = () => socket.destroy();
      unref = () => socket.unref();
      if (protocol === 'http2' || (protocol === 'auto' && isHttp2(agreed(socket))))
        speakHttp2(socket, lane, deps, once);
      else speakHttp1(socket, lane, deps, once);
    },
  });
  let discard = (): void => dialling.cancel();
  let unref = (): void => dialling.unref();
  return {
    cancel() {
      isCancelled = true;
      discard();
    },
    unref: () => unref(),
  };
}

function speakHttp1(socket: Socket, lane: Lane, { clock }: OpenConnectionDeps, on: LaneDialListener): void {
  const endpoint = addressText(lane.host);
  withHttp1(
    (createClient) => {
      if (socket.destroyed) return on.failed(new ConnectFailure('unreachable', 'the connection was closed at once'));
      const client = createClient(socket, { origin: originOf(endpoint), idleMs: lane.limits.idleMs });
      on.connected(new Http1Connection({ socket, client, home: lane, endpoint, nowMs: clock.now() }));
    },
    (error) => {
      socket.destroy();
      on.failed(new ConnectFailure('unreachable', 'the HTTP/1.1 client could not be loaded', error));
    },
  );
}

/** Loaded with the first HTTP/2 upstream. */
function speakHttp2(socket: Socket, lane: Lane, { clock }: OpenConnectionDeps, on: LaneDialListener): void {
  const { host, tls, timeoutMs, cluster } = lane;
  import('./http2-connection.ts').then(
    ({ openHttp2 }) => {
      const scheme = tls === undefined ? 'http' : 'https';
      const options = cluster?.http2Options;
      openHttp2({ socket, home: lane, endpoint: addressText(host), scheme, clock, timeoutMs, options }, on);
    },
    (error) => {
      socket.destroy();
      on.failed(new ConnectFailure('unreachable', 'HTTP/2 could not be loaded', error));
    },
  );
}

/** By ALPN. */
const agreed = (socket: Socket): string | false | null =>
  'alpnProtocol' in socket ? (socket as TLSSocket).alpnProtocol : false;

/** Only undici's diagnostics show it. */
function originOf(endpoint: string): string {
  const origin = `http://${endpoint}`;
  return endpoint.includes('/') || !URL.canParse(origin) ? 'http://localhost' : origin;
}
