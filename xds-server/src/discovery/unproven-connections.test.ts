import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { UnprovenConnections } from './unproven-connections.ts';

function setUp(most: number) {
  const clock = createFakeClock();
  const told: string[] = [];
  const unproven = new UnprovenConnections({
    clock,
    most,
    patienceMs: 30_000,
    dropped: (_socket, why) => told.push(why),
  });
  const add = (): Socket => {
    const socket = new Socket();
    unproven.add(socket);
    return socket;
  };
  return { clock, told, unproven, add };
}

it('beyond so many the oldest makes room; who is proven is not among them', () => {
  const { unproven, add, told } = setUp(2);
  const [proven, first, second] = [add(), add(), undefined];
  unproven.proven(proven);
  const third = add();
  expect([first.destroyed, unproven.size, second]).toEqual([false, 2, undefined]);
  add();
  expect([proven.destroyed, first.destroyed, third.destroyed, unproven.size]).toEqual([false, true, false, 2]);
  expect(told).toEqual(['2 others prove nothing either']);
});

it('one that proves nothing in time is dropped; one that is gone is forgotten', async () => {
  const { clock, unproven, add, told } = setUp(8);
  const [slow, left] = [add(), add()];
  left.destroy();
  await new Promise((resolve) => left.once('close', resolve));
  expect(unproven.size).toBe(1);
  await clock.pass(29_999);
  expect(slow.destroyed).toBe(false);
  await clock.pass(1);
  expect([slow.destroyed, unproven.size, told]).toEqual([true, 0, ['it proved nothing within 30 s']]);
});
