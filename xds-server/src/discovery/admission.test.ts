import { expect, it } from 'vitest';
import { defaultOf } from '../defaults.ts';
import { plainService, quiet } from './ads-service.fixture.ts';

const ADMITTED = defaultOf('admittedStreams');

/** `count` streams that ask at once. */
function storm(count: number, options?: Parameters<typeof plainService>[0]) {
  const one = plainService(options);
  one.world.set('x', '1');
  const streams = Array.from({ length: count }, (_, index) => one.stream(`client-${index}`));
  for (const { subscribe } of streams) subscribe('x');
  return { ...one, streams, told: () => streams.filter(({ heard }) => heard.length > 0).length };
}

it('gives a few dozen streams their first answers, the others wait in the order they came, and none is refused', async () => {
  const { service, streams, told } = storm(3 * ADMITTED);
  await quiet();
  expect([told(), service.waiting]).toEqual([ADMITTED, 2 * ADMITTED]);
  expect(streams.map((one) => service.isWaiting(one.session)).indexOf(true)).toBe(ADMITTED);
  for (const { acknowledge } of streams.slice(0, 10)) acknowledge();
  await quiet();
  expect([told(), service.waiting]).toEqual([ADMITTED + 10, 2 * ADMITTED - 10]);
  for (let round = 0; round < 3; round++) {
    for (const { heard, acknowledge } of streams) if (heard.length > 0) acknowledge();
    await quiet();
  }
  expect([told(), service.waiting]).toEqual([3 * ADMITTED, 0]);
  expect(streams.filter(({ ended }) => ended() !== undefined)).toEqual([]);
});

it('does not wait for clients that never answer, nor for those that leave', async () => {
  const { clock, service, streams, told } = storm(2 * ADMITTED + 1);
  await quiet();
  streams[0]?.close();
  await quiet();
  expect(told()).toBe(ADMITTED + 1);
  await clock.pass(defaultOf('admittedMs'));
  await quiet();
  expect([told(), service.waiting]).toEqual([2 * ADMITTED + 1, 0]);
});

it('forgets whoever leaves while waiting', async () => {
  const { clock, service, streams } = storm(ADMITTED + 5);
  await quiet();
  for (const { close } of streams) close();
  expect(service.waiting).toBe(0);
  expect(clock.pending()).toEqual([]);
});

it('pushes at once to streams that have had their first answers, however many wait', async () => {
  const { world, service, streams } = storm(ADMITTED);
  await quiet();
  for (const { acknowledge } of streams) acknowledge();
  world.set('x', '2');
  service.push();
  await quiet();
  expect(streams.every(({ heard }) => heard.at(-1) === 'v:2')).toBe(true);
});

it('lets a client that has seen a newer revision wait for it, and nobody else', async () => {
  let own = 1;
  const { world, service, stream } = plainService({ isBehind: (seen) => Number(seen) > own });
  world.set('x', 'old');
  const [ahead, abreast] = [stream('ahead', { INMESH_REVISION: '2' }), stream('abreast', { INMESH_REVISION: '1' })];
  ahead.subscribe('x');
  abreast.subscribe('x');
  await quiet();
  expect([ahead.heard, abreast.heard, service.waiting]).toEqual([[], ['v:old'], 1]);
  own = 2;
  world.set('x', 'new');
  service.push();
  await quiet();
  expect([ahead.heard, service.waiting]).toEqual([['v:new'], 0]);
});

it('answers it after 2 s all the same: a replica restored from a backup never gets there', async () => {
  const { clock, world, service, stream } = plainService({ isBehind: () => true });
  world.set('x', 'old');
  const ahead = stream('ahead', { INMESH_REVISION: '2' });
  ahead.subscribe('x');
  await quiet();
  await clock.pass(defaultOf('behindMs') - 1);
  expect(ahead.heard).toEqual([]);
  await clock.pass(1);
  await quiet();
  expect(ahead.heard).toEqual(['v:old']);
  service.push();
  await quiet();
  expect(service.waiting).toBe(0);
});
