import { EventEmitter } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { defaultOf } from '../defaults.ts';
import type { GuardedConnection } from './connection.ts';
import { SessionWatch } from './http2-session.ts';

function watched() {
  const socket = { bytesWritten: 0 };
  const session = Object.assign(new EventEmitter(), { destroyed: false, destroy: () => {} });
  const calmed: string[] = [];
  const connection = { socket, chain: undefined, secured: undefined } as unknown as GuardedConnection;
  const server = session as unknown as ServerHttp2Session;
  new SessionWatch(connection, server, createFakeClock(), (why) => calmed.push(why));
  const ping = (sent: number): void => {
    socket.bytesWritten += sent;
    session.emit('ping');
  };
  return { ping, calmed };
}

it('a PING after data measures the link and costs nothing; one after our answer to the last alone is counted (gRFC A8)', () => {
  const { ping, calmed } = watched();
  for (let count = 0; count < 3 * defaultOf('guardPings'); count++) ping(1_024);
  expect(calmed).toEqual([]);
  for (let count = 0; count <= defaultOf('guardPings'); count++) ping(39);
  expect(calmed).toEqual(['too many PING frames']);
});
