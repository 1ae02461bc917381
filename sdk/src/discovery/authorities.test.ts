import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { cluster, listener } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { CDS, LDS, setUp, UNAVAILABLE, watch } from './discovery.fixture.ts';

const OWN = 'xdstp://own.example/envoy.config.listener.v3.Listener/a:1?x=1&y=2';
const SHARED = 'xdstp://shared.example/envoy.config.listener.v3.Listener/a:1';

/** A top level with one server; `own.example` has another one and a spare, `shared.example` the top level's. */
function federation(method: 'delta' | 'sotw' = 'delta') {
  const [top, own, spare] = ['192.0.2.1:1', '192.0.2.2:1', '192.0.2.3:1'].map(createScriptedAds);
  if (top === undefined || own === undefined || spare === undefined) throw new Error('three are made');
  const clock = createFakeClock();
  const world = setUp({
    clock,
    method,
    servers: [top],
    authorities: new Map([
      ['own.example', [own, spare]],
      ['shared.example', [top]],
    ]),
  });
  return { ...world, clock, top, own, spare };
}

describe('authorities (gRFC A47)', () => {
  it('a name goes to the servers of its authority, a plain one to the top level', async () => {
    const { discovery, top, own } = federation();
    watch(discovery, listenerType, OWN);
    await settle();
    expect(top.streams).toHaveLength(0);
    watch(discovery, listenerType, 'a:1');
    await settle();
    expect(own.current().delta.map(({ resourceNamesSubscribe }) => resourceNamesSubscribe)).toEqual([[OWN]]);
    expect(top.current().delta.map(({ resourceNamesSubscribe }) => resourceNamesSubscribe)).toEqual([['a:1']]);
  });

  it('authorities of one server share its stream', async () => {
    const { discovery, top } = federation();
    const plain = watch(discovery, listenerType, 'a:1');
    await settle();
    const shared = watch(discovery, listenerType, SHARED);
    await settle();
    expect(top.streams).toHaveLength(1);
    expect(top.current().delta.map(({ resourceNamesSubscribe }) => resourceNamesSubscribe)).toEqual([
      ['a:1'],
      [SHARED],
    ]);
    top.current().up();
    top.current().respondDelta({
      typeUrl: LDS,
      nonce: '1',
      resources: [{ name: SHARED, version: '1', resource: listener(SHARED, 'r') }],
      removedResources: ['a:1'],
    });
    await settle();
    expect([plain.told, shared.told]).toEqual([['absent'], ['resource 1']]);
    expect(top.current().delta.at(-1)).toMatchObject({ responseNonce: '1' });
    shared.stop();
    await settle();
    expect(top.current().delta.at(-1)).toMatchObject({ resourceNamesUnsubscribe: [SHARED] });
  });

  it('state of the world: all names of a server in one request, and each answer for its own', async () => {
    const { discovery, top } = federation('sotw');
    const plain = watch(discovery, listenerType, 'a:1');
    const shared = watch(discovery, listenerType, SHARED);
    await settle();
    expect(top.current().sotw[0]?.resourceNames).toEqual(['a:1', SHARED]);
    top.current().respondSotw({ typeUrl: LDS, nonce: '1', versionInfo: '1', resources: [listener(SHARED, 'r')] });
    await settle();
    expect([plain.told, shared.told]).toEqual([['absent'], ['resource 1']]);
  });

  it('two spellings of a name are one name, whoever spells', async () => {
    const { discovery, own } = federation();
    const first = watch(discovery, listenerType, OWN);
    const second = watch(discovery, listenerType, OWN.replace('x=1&y=2', 'y=2&x=%31').replace('own', 'OWN'));
    await settle();
    expect(own.current().delta.map(({ resourceNamesSubscribe }) => resourceNamesSubscribe)).toEqual([[OWN]]);
    own.current().respondDelta({
      typeUrl: LDS,
      nonce: '1',
      resources: [{ name: OWN.replace('a:1', '%61:1'), version: '1', resource: listener(OWN, 'r') }],
    });
    await settle();
    expect([first.told, second.told]).toEqual([['resource 1'], ['resource 1']]);
    own.current().respondDelta({ typeUrl: LDS, nonce: '2', removedResources: [OWN.replace('x=1&y=2', 'y=2&x=1')] });
    await settle();
    expect(first.told.at(-1)).toBe('absent');
  });

  it('each authority falls back by itself (gRFC A71)', async () => {
    const { discovery, top, own, spare, clock } = federation();
    watch(discovery, listenerType, 'a:1');
    const { told } = watch(discovery, listenerType, OWN);
    await settle();
    top.current().up();
    own.current().end(UNAVAILABLE);
    await settle();
    expect(top.streams).toHaveLength(1);
    spare.current().up();
    spare.current().respondDelta({
      typeUrl: LDS,
      nonce: '1',
      resources: [{ name: OWN, version: '1', resource: listener(OWN, 'r') }],
    });
    await clock.pass(2_000);
    expect(told).toEqual(['resource 1']);
    expect(discovery.status().servers).toMatchObject([
      { server: '192.0.2.1:1', isUsed: true },
      { server: '192.0.2.2:1', authority: 'own.example', isUsed: false },
      { server: '192.0.2.3:1', authority: 'own.example', isUsed: true },
      { server: '192.0.2.1:1', authority: 'shared.example', isUsed: true },
    ]);
  });

  it('an answer that is about another authority moves nobody', async () => {
    const [shared, spare] = ['192.0.2.1:1', '192.0.2.2:1'].map(createScriptedAds);
    if (shared === undefined || spare === undefined) throw new Error('two are made');
    const clock = createFakeClock();
    const authorities = new Map([['own.example', [shared, spare]]]);
    const { discovery } = setUp({ clock, servers: [shared], authorities });
    watch(discovery, listenerType, 'a:1');
    const { told } = watch(discovery, listenerType, OWN);
    await settle();
    shared.current().end(UNAVAILABLE);
    await settle();
    spare.current().up();
    const resources = [{ name: OWN, version: '1', resource: listener(OWN, 'r') }];
    spare.current().respondDelta({ typeUrl: LDS, nonce: '1', resources });
    await clock.pass(2_000);
    shared.current().up();
    shared.current().respondDelta({ typeUrl: LDS, nonce: '1', removedResources: ['a:1'] });
    await clock.pass(30_000);
    expect(spare.current().isClosed).toBe(false);
    expect(told).toEqual(['resource 1']);
    expect(shared.current().delta.at(-1)).toMatchObject({ responseNonce: '1' });
  });

  it.each([
    ['xdstp://nobody.example/envoy.config.listener.v3.Listener/x', 'no authority "nobody.example"'],
    ['xdstp://own.example/envoy.config.cluster.v3.Cluster/x', 'names a envoy.config.cluster.v3.Cluster'],
    ['xdstp://own.example/x', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://own.example/envoy.config.listener.v3.Listener/*', 'collections'],
  ])('%s is an error of its own, asked of nobody', async (name, why) => {
    const { discovery, top, own } = federation();
    const bad = watch(discovery, listenerType, name);
    const stopped = watch(discovery, listenerType, name);
    stopped.stop();
    await settle();
    expect(bad.told).toEqual([expect.stringContaining(why)]);
    expect(stopped.told).toEqual([]);
    expect([...top.streams, ...own.streams]).toEqual([]);
  });

  it('a bad name in a response harms nobody else', async () => {
    const { discovery, top } = federation();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    top.current().respondDelta({
      typeUrl: CDS,
      nonce: '1',
      resources: [
        { name: 'xdstp://%', version: '1', resource: cluster('c') },
        { name: 'c', version: '1', resource: cluster('c') },
      ],
    });
    await settle();
    expect(told).toEqual(['resource 1']);
    expect(top.current().delta.at(-1)?.errorDetail).toBeUndefined();
  });
});
