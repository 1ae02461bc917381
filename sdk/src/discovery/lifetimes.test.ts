import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { anyOf, createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { ResourceSchema } from '../../gen/discovery.js';
import { clusterType } from '../resource/cluster/cluster.ts';
import { CDS, setUp, UNAVAILABLE, watch } from './discovery.fixture.ts';

type Told = Parameters<ReturnType<ReturnType<typeof createScriptedAds>['current']>['respondDelta']>[0];
type Resources = NonNullable<Told['resources']>;

const TTL = { seconds: 30n, nanos: 0 };
const full = { name: 'c', version: '1', resource: cluster('c'), ttl: TTL };
const renewal = { name: 'c', version: '1', ttl: TTL };

/** A client that holds the cluster `c`, which lives 30 s. */
async function holding(method: 'delta' | 'sotw', ...features: string[]) {
  const ads = createScriptedAds();
  const world = setUp({ method, servers: [{ transport: ads.transport, features: new Set(features) }] });
  const { told } = watch(world.discovery, clusterType, 'c');
  await settle();
  let nonce = 0;
  const say = async (resources: Resources, more: Pick<Told, 'resourceErrors'> = {}) => {
    const head = { typeUrl: CDS, nonce: String(++nonce), resourceErrors: more.resourceErrors ?? [] };
    if (method === 'delta') ads.current().respondDelta({ ...head, resources });
    else
      ads
        .current()
        .respondSotw({ ...head, versionInfo: '1', resources: resources.map((one) => anyOf(ResourceSchema, one)) });
    await settle();
  };
  const pass = async (ms: number) => {
    await world.clock.pass(ms);
    await settle();
  };
  await say([full]);
  return { ...world, ads, told, say, pass };
}

describe.each(['delta', 'sotw'] as const)('time to live over %s (Envoy Resource.ttl)', (method) => {
  it('what is not renewed is dropped, and asked for again', async () => {
    const { ads, told, pass, say } = await holding(method);
    await pass(29_000);
    expect(told).toEqual(['resource 1']);
    const before = ads.current()[method].length;
    await pass(2_000);
    expect(told).toEqual(['resource 1', 'absent']);
    const asked = ads.current()[method].slice(before);
    const names = asked.map((request) =>
      'resourceNames' in request ? request.resourceNames : request.resourceNamesSubscribe,
    );
    expect(names).toEqual(method === 'delta' ? [['c']] : [[], ['c']]);
    await say([full]);
    expect(told).toEqual(['resource 1', 'absent', 'resource 1']);
  });

  it('what runs out in one moment is asked for in one go', async () => {
    const { ads, discovery, pass, say } = await holding(method);
    const names = Array.from({ length: 200 }, (_, index) => `c${index}`);
    for (const name of names) watch(discovery, clusterType, name);
    await settle();
    await say([full, ...names.map((name) => ({ ...full, name, resource: cluster(name) }))]);
    const before = ads.current()[method].length;
    await pass(31_000);
    const asked = ads.current()[method].slice(before);
    expect(asked).toHaveLength(method === 'delta' ? 1 : 2);
    const last = asked.at(-1);
    const again = last && ('resourceNames' in last ? last.resourceNames : last.resourceNamesSubscribe);
    expect(new Set(again)).toEqual(new Set(['c', ...names]));
  });

  it('a resource without a body renews it, and is no new version', async () => {
    const { told, pass, say, events } = await holding(method);
    for (let time = 0; time < 5; time++) {
      await pass(20_000);
      await say([renewal]);
    }
    expect(told).toEqual(['resource 1']);
    expect(events.filter(({ kind }) => kind === 'xds-nack')).toEqual([]);
    await pass(31_000);
    expect(told).toEqual(['resource 1', 'absent']);
  });

  it('also the same bytes again renew it; without a time it lives for ever', async () => {
    const { told, pass, say } = await holding(method);
    await pass(20_000);
    await say([full]);
    await pass(20_000);
    expect(told).not.toContain('absent');
    await say([{ name: 'c', version: '1', resource: cluster('c') }]);
    await pass(600_000);
    expect(told).not.toContain('absent');
  });

  it('time goes on where the stream is lost', async () => {
    const { ads, told, pass } = await holding(method);
    ads.current().end(UNAVAILABLE);
    await pass(31_000);
    expect(told).toEqual(['resource 1', 'absent']);
  });

  it.each([
    ['none', 0n],
    ['one that is past', -9_000_000_000n],
  ])('%s is a time that is not asked about faster than it is answered', async (_, seconds) => {
    const { ads, told, pass, say } = await holding(method);
    const before = ads.current()[method].length;
    for (let time = 0; time < 5; time++) {
      await say([{ ...full, ttl: { seconds, nanos: 0 } }]);
      await pass(10);
    }
    // Acknowledgements alone.
    expect([told.includes('absent'), ads.current()[method].length - before]).toEqual([false, 5]);
    await pass(200);
    expect(told).toContain('absent');
  });

  it('a time that no timer can hold is not cut short', async () => {
    const { told, pass, say } = await holding(method);
    await say([{ ...full, ttl: { seconds: 315_576_000_000n, nanos: 0 } }]);
    await pass(2 ** 31 + 1_000);
    expect(told).not.toContain('absent');
  });

  it('a renewal of something that was never told changes nothing', async () => {
    const { told, say, pass, events } = await holding(method);
    await say([renewal, { name: 'other', version: '1', ttl: TTL }]);
    await pass(1_000);
    expect([told, events.filter(({ kind }) => kind === 'xds-nack')]).toEqual([['resource 1'], []]);
  });
});

describe.each(['delta', 'sotw'] as const)('resource_errors over %s (gRFC A88)', (method) => {
  const fault = (code: number, message: string) => ({
    resourceErrors: [{ resourceName: { name: 'c' }, errorDetail: { code, message } }],
  });

  it('of one name, however often, is told once, and no longer than is of use', async () => {
    const { told, say, discovery } = await holding(method);
    const [one = {}] = fault(13, 'x'.repeat(100_000)).resourceErrors;
    await say([], { resourceErrors: Array.from({ length: 1_000 }, () => one) });
    expect(told).toHaveLength(2);
    const [resource] = discovery.status().resources;
    expect(JSON.stringify(resource?.state).length).toBeLessThan(10_000);
  });

  it('NOT_FOUND: it is gone, with the words of the server', async () => {
    const { told, say, discovery } = await holding(method);
    await say([], fault(5, 'not yours'));
    expect(told).toEqual(['resource 1', 'absent']);
    const [resource] = discovery.status().resources;
    expect(resource?.state).toMatchObject({ reason: 'the control plane does not know Cluster "c": not yours' });
  });

  it('anything else: the last good version goes on, in spite of its absence', async () => {
    const { told, say, events } = await holding(method);
    await say([], fault(13, 'a fault of ours'));
    const reason = 'the control plane cannot give Cluster "c": a fault of ours';
    expect(told).toEqual(['resource 1', `error ${reason}`]);
    expect(events.filter(({ kind }) => kind === 'xds-nack')).toEqual([]);
    await say([{ ...full, version: '2', resource: cluster('c', { altStatName: 'x' }) }]);
    expect(told.at(-1)).toMatch(/^resource/);
  });

  it('fail_on_data_errors: it goes', async () => {
    const { told, say } = await holding(method, 'fail_on_data_errors');
    await say([], fault(7, 'no'));
    expect(told).toEqual(['resource 1', 'absent']);
  });

  it('of a name that nobody asked for it is nothing', async () => {
    const { told, say } = await holding(method);
    await say([full], { resourceErrors: [{ resourceName: { name: 'x' } }, {}] });
    expect(new Set(told)).toEqual(new Set(['resource 1']));
  });
});
