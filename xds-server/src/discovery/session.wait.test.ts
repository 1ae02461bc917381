import { expect, it } from 'vitest';
import { ENDPOINT_TYPE, LISTENER_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const EDS = ENDPOINT_TYPE;
const LDS = LISTENER_TYPE;

it('answers what may be answered and leaves what must wait open (delta)', () => {
  const stream = scripted('delta');
  stream.world.set(`${EDS}/a`, 'a1').set(`${EDS}/b`, 'b1');
  stream.hold((name) => name !== 'a');
  stream.delta({ node: NODE, typeUrl: EDS, resourceNamesSubscribe: ['a', 'b', 'gone'] });
  expect(stream.take()).toMatchObject([{ resources: ['a=a1'], removed: [] }]);
  stream.hold(undefined);
  expect(stream.take()).toMatchObject([{ resources: ['b=b1'] }, { removed: ['gone'] }]);
});

it('says nothing at all of a resource that a client holds as it is once it may be answered (delta)', () => {
  const stream = scripted('delta');
  stream.hold((_name, held, found) => found === undefined && held !== undefined);
  stream.delta({ node: NODE, typeUrl: EDS, resourceNamesSubscribe: ['a'], initialResourceVersions: { a: 'v:a1' } });
  expect(stream.take()).toEqual([]);
  stream.change({ [`${EDS}/a`]: 'a1' });
  expect(stream.take()).toEqual([]);
  stream.change({ [`${EDS}/a`]: 'a2' });
  expect(stream.take()).toMatchObject([{ resources: ['a=a2'] }]);
});

it('answers endpoints one by one, and owes what waits (state of the world)', () => {
  const stream = scripted('sotw');
  stream.world.set(`${EDS}/a`, 'a1').set(`${EDS}/b`, 'b1');
  stream.hold((name) => name === 'b');
  stream.sotw({ node: NODE, typeUrl: EDS, resourceNames: ['a', 'b'] });
  expect(stream.take()).toMatchObject([{ resources: ['a1'] }]);
  stream.hold(undefined);
  expect(stream.take()).toMatchObject([{ resources: ['b1'] }]);
});

it('says nothing of listeners while one must wait, since its absence would delete it (state of the world)', () => {
  const stream = scripted('sotw');
  stream.world.set(`${LDS}/a`, 'a1');
  stream.hold((_name, held, found) => found === undefined && held !== undefined);
  stream.sotw({ node: NODE, typeUrl: LDS, resourceNames: ['a', 'b'], versionInfo: 'of another server' });
  expect(stream.take()).toEqual([]);
  stream.change({ [`${LDS}/b`]: 'b1' });
  expect(stream.take()).toMatchObject([{ resources: ['a1', 'b1'] }]);
});

it('tells of what is gone after all once nothing has to wait (state of the world)', () => {
  const stream = scripted('sotw');
  stream.world.set(`${LDS}/a`, 'a1').set(`${LDS}/b`, 'b1');
  stream.sotw({ node: NODE, typeUrl: LDS, resourceNames: ['a', 'b'] });
  stream.take();
  stream.hold((_name, held, found) => found === undefined && held !== undefined);
  stream.change({ [`${LDS}/b`]: undefined });
  expect(stream.take()).toEqual([]);
  stream.hold(undefined);
  expect(stream.take()).toMatchObject([{ resources: ['a1'] }]);
});
