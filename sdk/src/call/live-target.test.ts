import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { forward, route } from '../route/route.fixture.ts';
import { cluster, targetConfig } from './call.fixture.ts';
import { createLiveTargets } from './live-target.ts';

const create = (onHostsChanged?: () => void) =>
  createLiveTargets({
    clock: systemClock,
    random: () => 0,
    emit: () => {},
    ...(onHostsChanged === undefined ? {} : { onHostsChanged }),
  });

describe('live targets', () => {
  it('share an upstream by its cluster’s name, and close it with its last user', async () => {
    const targets = create();
    const one = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1]) }));
    const two = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1]), b: cluster('b', [2]) }));
    expect(two.upstreams.get('a')).toBe(one.upstreams.get('a'));
    expect([...targets.upstreams.keys()]).toEqual(['a', 'b']);
    targets.retire(two);
    expect([...targets.upstreams.keys()]).toEqual(['a']);
    targets.retire(one);
    expect(targets.upstreams.size).toBe(0);
    const again = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1]) }));
    expect(again.upstreams.get('a')).not.toBe(one.upstreams.get('a'));
  });

  it('keep the upstream over a change, with the counters of hosts that stay', async () => {
    const targets = create();
    const before = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1, 2]) }));
    const upstream = before.upstreams.get('a');
    const picks = [upstream?.pick({}), upstream?.pick({})];
    const after = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [2, 3]) }), before);
    targets.retire(before);
    expect(after.upstreams.get('a')).toBe(upstream);
    expect(upstream?.hosts().map(({ address, activeRequests }) => [address, activeRequests])).toEqual([
      ['127.0.0.1:2', 1],
      ['127.0.0.1:3', 0],
    ]);
    for (const pick of picks) if (pick?.kind === 'pick') pick.release();
  });

  it('give up the hosts of an upstream that is closed, so that their connections drain', async () => {
    const targets = create();
    const target = await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1]) }));
    const pick = target.upstreams.get('a')?.pick({});
    targets.retire(target);
    expect(pick).toMatchObject({ kind: 'pick', host: { removed: true } });
  });

  it('leave out clusters that failed', async () => {
    const target = await create().prepare(targetConfig([route('r')], { a: { kind: 'failed', reason: 'gone' } }));
    expect(target.upstreams.size).toBe(0);
  });

  it('compile the routes again only where they have changed', async () => {
    const targets = create();
    const config = targetConfig([route('r', {}, forward({ a: 1 }))], { a: cluster('a', [1]) });
    const before = await targets.prepare(config);
    const after = await targets.prepare({ ...config, clusters: new Map([['a', cluster('a', [2])]]) }, before);
    expect(after.table).toBe(before.table);
  });

  it('compile a small table at its first decision, a larger one before it is given out', async () => {
    const names = Array.from({ length: 17 }, (_, index) => `r${index}`);
    for (const count of [1, 17]) {
      const routes = names.slice(0, count).map((name) => route(name));
      const target = await create().prepare(targetConfig(routes, { a: cluster('a', [1]) }));
      const hosts = [...target.table.domains.exact.values(), target.table.domains.any];
      expect(hosts.find((host) => host !== undefined)?.routes).toHaveLength(count);
      expect(target.table).toBe(target.table);
    }
  });

  it('tell when hosts may have gone', async () => {
    let told = 0;
    const targets = create(() => told++);
    targets.retire(await targets.prepare(targetConfig([route('r')], { a: cluster('a', [1]) })));
    expect(told).toBe(2);
  });
});
