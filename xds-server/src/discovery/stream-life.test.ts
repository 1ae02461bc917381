import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import type { Principal } from '../auth/principal.ts';
import { StreamLife } from './stream-life.ts';

const PRINCIPAL: Principal = {
  kind: 'workload',
  trustDomain: 'cluster.local',
  namespace: 'shop',
  serviceAccount: 'web',
  via: 'bootstrap-token',
};

function setUp(leftMs?: number) {
  const clock = createFakeClock();
  const ended: number[] = [];
  const principal = { ...PRINCIPAL, ...(leftMs !== undefined && { expiresAtMs: clock.wallTime() + leftMs }) };
  const life = new StreamLife(clock, { address: undefined, principal }, (code) => ended.push(code));
  return { clock, ended, life };
}

it('ends a stream whose first request never comes', async () => {
  const { clock, ended } = setUp();
  await clock.pass(29_000);
  expect(ended).toEqual([]);
  await clock.pass(2_000);
  expect(ended).toEqual([4]);
});

it('leaves alone what has spoken, and what rests on nothing that expires', async () => {
  const { clock, ended, life } = setUp();
  life.spoken();
  await clock.pass(365 * 86_400_000);
  expect(ended).toEqual([]);
  expect(clock.pending()).toEqual([]);
});

it.each([5_000, 40 * 86_400_000])('ends a stream with its credential, UNAUTHENTICATED (%i ms)', async (leftMs) => {
  const { clock, ended, life } = setUp(leftMs);
  life.spoken();
  await clock.pass(leftMs - 1_000);
  expect(ended).toEqual([]);
  await clock.pass(1_000);
  expect(ended).toEqual([16]);
});

it('ends at once what came with an expired one', async () => {
  const { clock, ended, life } = setUp(-1);
  life.spoken();
  await clock.pass(0);
  expect(ended).toEqual([16]);
});

it('leaves no timer behind', () => {
  const { clock, life } = setUp(5_000);
  life.close();
  expect(clock.pending()).toEqual([]);
});
