/** A process of its own: one request, then nothing but an idle connection, one dial nobody waits for, and no exit call. */
import { systemClock } from '../clock.ts';
import type { Connection } from './connection.ts';
import { createConnections } from './connections.ts';
import { clusterOf, noBreaker } from './origin.fixture.ts';

const connections = createConnections({ clock: systemClock });
const host = { address: '127.0.0.1', port: Number(process.argv[2]), removed: false };
const breaker = noBreaker();
const waiter = (onConnection: (connection: Connection) => void) => ({
  host,
  cluster: clusterOf({ idleTimeoutMs: 600_000, http2: process.argv[3] === 'http2' }),
  tls: undefined,
  breaker,
  onConnection,
  onConnectFailure() {},
});

function request(connection: Connection): void {
  // The second one is served by the first one's connection; its own dial becomes an idle connection.
  connections.checkout(waiter((other) => other.release(systemClock.now())));
  connection.dispatch(
    { method: 'GET', path: '/', headers: ['host', 'reviews'], body: null, upgrade: null },
    {
      onRequestStart() {},
      onRequestSent() {},
      onResponseStarted() {},
      onRequestUpgrade() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd() {
        process.exitCode = 0;
        connection.release(systemClock.now());
      },
      onResponseError() {},
    },
  );
}

// Until the answer is there.
process.exitCode = 1;
connections.checkout(waiter(request));
