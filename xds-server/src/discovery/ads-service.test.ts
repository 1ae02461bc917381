import { expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { quiet, plainService as setUp } from './ads-service.fixture.ts';
import { textResource } from './session.fixture.ts';

it('answers nothing before it is ready', async () => {
  const ready = Promise.withResolvers<void>();
  const { world, stream } = setUp({ ready: ready.promise });
  const one = stream('a');
  one.subscribe('x');
  await quiet();
  expect(one.heard).toEqual([]);
  world.set('x', '1');
  ready.resolve();
  await quiet();
  expect(one.heard).toEqual(['v:1']);
});

it('answers requests that come in one turn of the event loop together', async () => {
  const { world, stream } = setUp();
  world.set('x', '1').set('y', '1');
  const one = stream('a');
  one.subscribe('x');
  one.subscribe('y');
  await quiet();
  expect(one.heard).toEqual(['v:1,v:1']);
});

it('pushes to every stream of every node, many streams of one node included', async () => {
  const { service, world, stream } = setUp();
  const streams = ['a', 'a', 'b'].map((id) => stream(id));
  for (const one of streams) one.subscribe('x');
  await quiet();
  world.set('x', '2');
  service.push();
  await quiet();
  expect(streams.map(({ heard }) => heard)).toEqual([
    ['', 'v:2'],
    ['', 'v:2'],
    ['', 'v:2'],
  ]);
});

it('tells only the newest of several changes that came before its turn', async () => {
  const { service, world, stream } = setUp();
  const one = stream('a');
  one.subscribe('x');
  await quiet();
  for (const text of ['1', '2', '3']) {
    world.set('x', text);
    service.push();
  }
  await quiet();
  expect(one.heard).toEqual(['', 'v:3']);
});

it('lets the event loop have its turn between slices', async () => {
  const slow = createFakeClock();
  const clock = {
    ...slow,
    now: () => {
      slow.stall(1);
      return slow.now();
    },
  };
  const { service, world, stream } = setUp({ clock });
  const streams = Array.from({ length: 30 }, (_, index) => stream(`client-${index}`));
  for (const one of streams) one.subscribe('x');
  for (let turn = 0; turn < 60; turn++) await settle();
  world.set('x', '2');
  service.push();
  const told: number[] = [];
  while (told.at(-1) !== streams.length) {
    await settle();
    told.push(streams.filter(({ heard }) => heard.includes('v:2')).length);
  }
  expect(new Set(told).size).toBeGreaterThan(3);
});

it('ends the one stream whose answer cannot be made (INTERNAL), serves the others and says so', async () => {
  const { stream, warnings } = setUp({
    lookup: (identity, type) => (name) => {
      if (identity.id === 'cursed') throw new RangeError('no such thing');
      return textResource(type, name, '1');
    },
  });
  const [cursed, fine] = [stream('cursed'), stream('fine')];
  cursed.subscribe('x');
  fine.subscribe('x');
  await quiet();
  expect(fine.heard).toEqual(['v:1']);
  expect(cursed.ended()).toBe('13 an answer could not be made');
  expect(warnings).toEqual([expect.stringContaining('RangeError: no such thing')]);
});

it('ends every stream when it closes, and each one that still comes (UNAVAILABLE)', () => {
  const { service, stream } = setUp();
  const one = stream('a');
  service.close();
  expect(one.ended()).toBe('14 the control plane is shutting down');
  expect(stream('b').ended()).toBe('14 the control plane is shutting down');
  expect(service.sessions).toEqual([]);
});

it('is settled once all is sent and answered and the clients have gone quiet', async () => {
  const { clock, service, stream } = setUp();
  const one = stream('a');
  one.subscribe('x');
  let settled: boolean | undefined;
  void service.settled().then((outcome) => {
    settled = outcome;
  });
  await clock.pass(200);
  expect(settled).toBeUndefined();
  one.acknowledge();
  await clock.pass(10);
  // What the client asks next, having followed.
  one.subscribe('y');
  await clock.pass(60);
  expect(settled).toBeUndefined();
  one.acknowledge();
  await clock.pass(100);
  expect(settled).toBe(true);
});

it('gives up on a client that never answers', async () => {
  const { clock, service, stream } = setUp();
  stream('a').subscribe('x');
  const settled = service.settled();
  await clock.pass(5_100);
  expect(await settled).toBe(false);
});
