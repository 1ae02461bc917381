import { expect, it } from 'vitest';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const names = (count: number, prefix = 'n'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

it('counts the names of all types together, and tells that those beyond do not exist', () => {
  const stream = scripted('delta', { namesPerStream: 3 });
  stream.delta({ node: NODE, typeUrl: LISTENER_TYPE, resourceNamesSubscribe: ['a', 'b'] });
  stream.delta({ typeUrl: CLUSTER_TYPE, resourceNamesSubscribe: ['c', 'd', 'e'] });
  for (const key of ['c', 'd', 'e']) stream.world.set(`${CLUSTER_TYPE}/${key}`, key);
  const heard = stream.take();
  expect(heard.find(({ type }) => type === CLUSTER_TYPE)).toMatchObject({ resources: ['c=c'], removed: ['d', 'e'] });
  expect(stream.warnings).toEqual([expect.stringMatching(/2 names refused, a stream may hold 3/)]);
  expect(stream.session.names.get(CLUSTER_TYPE)).toEqual(['c']);
});

it('serves a bounded number of types and names of a bounded length', () => {
  const stream = scripted('delta', { typesPerStream: 2, nameLength: 10 });
  stream.delta({ node: NODE, typeUrl: 'one', resourceNamesSubscribe: ['a', 'x'.repeat(11)] });
  for (const typeUrl of ['two', 'three']) stream.delta({ typeUrl, resourceNamesSubscribe: ['a'] });
  expect([...stream.session.names]).toEqual([
    ['one', ['a']],
    ['two', ['a']],
  ]);
  expect(stream.warnings.join()).toMatch(/a name may have 10 characters.*three: not served/s);
});

it.each(['delta', 'sotw'] as const)('ends a stream whose request is too large (RESOURCE_EXHAUSTED, %s)', (method) => {
  const stream = scripted(method, { requestBytes: 1_000 });
  const fields = { node: NODE, typeUrl: LISTENER_TYPE };
  if (method === 'delta') stream.delta({ ...fields, resourceNamesSubscribe: names(1_000) });
  else stream.sotw({ ...fields, resourceNames: names(1_000) });
  expect(stream.ended()).toMatchObject({ code: 8, message: expect.stringMatching(/at most 1000/) });
  expect(stream.take()).toEqual([]);
});

it.each(['delta', 'sotw'] as const)('answers whoever asks too fast, and reads it more slowly (%s)', async (method) => {
  const stream = scripted(method, { names: { perSecond: 10, burst: 10 } });
  const ask = (list: string[]) =>
    method === 'delta'
      ? stream.delta({ node: NODE, typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: list })
      : stream.sotw({ node: NODE, typeUrl: ENDPOINT_TYPE, resourceNames: list });
  ask(names(9));
  expect(stream.isPaused()).toBe(false);
  ask(names(20, 'm'));
  expect(stream.take().length).toBeGreaterThan(0);
  expect([stream.isPaused(), stream.warnings]).toEqual([true, ['throttled 2100']]);
  await stream.clock.pass(2_099);
  expect(stream.isPaused()).toBe(true);
  await stream.clock.pass(1);
  expect([stream.isPaused(), stream.ended()]).toEqual([false, undefined]);
});

it('is not slowed by what a reconnecting client holds, nor by acknowledgements', async () => {
  const stream = scripted('delta', { namesPerStream: 10_000, names: { perSecond: 500, burst: 20_000 } });
  stream.delta({ node: NODE, typeUrl: LISTENER_TYPE, resourceNamesSubscribe: names(10_000) });
  for (let round = 0; round < 500; round++) {
    stream.delta({ typeUrl: LISTENER_TYPE, responseNonce: '1' });
    await stream.clock.pass(10);
  }
  expect(stream.isPaused()).toBe(false);
});

it('looks thousands of names up a slice at a time, so that others have their turn, and answers once', () => {
  const stream = scripted('delta', { namesPerStream: 10_000 });
  stream.delta({ node: NODE, typeUrl: LISTENER_TYPE, resourceNamesSubscribe: names(1_000) });
  let slices = 0;
  while (!stream.session.serve(() => true)) {
    slices++;
    expect(stream.session.isSettled).toBe(false);
    // A change of mind on the way.
    if (slices === 3) stream.delta({ typeUrl: LISTENER_TYPE, resourceNamesUnsubscribe: ['n999'] });
  }
  expect(slices).toBeGreaterThan(100);
  expect(stream.take()).toMatchObject([{ removed: names(999) }]);
});
