import net, { type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { systemClock, systemTurn } from '../clock.ts';
import { dial } from './dial.ts';
import { connectFirst } from './first-address.ts';
import { closeOrigins, deadPort, serve, until } from './origin.fixture.ts';

afterEach(closeOrigins);

const listening = () => serve(net.createServer());
/** An address that answers nothing (RFC 5737). */
const MUTE = '192.0.2.1';

describe('several addresses (RFC 8305)', () => {
  it('the next one is tried when one has failed', async () => {
    const { port } = await listening();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    // Nobody listens there on this port.
    connectFirst(['127.0.0.2', '127.0.0.1'], port, systemClock, { connected: resolve, failed: reject });
    const socket = await promise;
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  it('the next one is tried beside one that does not answer for 250 ms; the first that answers is taken', async () => {
    const clock = createFakeClock();
    const { port } = await listening();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    connectFirst([MUTE, '127.0.0.1'], port, clock, { connected: resolve, failed: reject });
    expect(clock.pending()).toEqual([250]);
    await clock.pass(250);
    const socket = await promise;
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
    expect(clock.pending()).toEqual([]);
  });

  it('all failing is told once, with the first reason', async () => {
    const port = await deadPort();
    const failures: unknown[] = [];
    connectFirst(['127.0.0.1', '127.0.0.2'], port, systemClock, {
      connected: () => failures.push('connected'),
      failed: (error) => failures.push(error),
    });
    await until(() => failures.length > 0);
    expect(failures).toEqual([expect.objectContaining({ address: '127.0.0.1', code: 'ECONNREFUSED' })]);
  });

  it('a cancelled dial leaves nothing behind', async () => {
    const clock = createFakeClock();
    const calls: string[] = [];
    const target = { address: 'db.test', addresses: [MUTE, '192.0.2.2'], port: 9, tls: undefined, timeoutMs: 1_000 };
    const dialling = dial(
      target,
      { clock, turn: systemTurn },
      { connected: () => calls.push('connected'), failed: () => calls.push('failed') },
    );
    dialling.cancel();
    await clock.pass(2_000);
    expect(calls).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });
});
