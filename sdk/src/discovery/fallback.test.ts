import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds, type ScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { cluster, listener } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { CDS, LDS, setUp, UNAVAILABLE, watch } from './discovery.fixture.ts';

/** A client of two control planes. */
function pair() {
  const first = createScriptedAds('192.0.2.1:15010');
  const second = createScriptedAds('192.0.2.2:15010');
  const clock = createFakeClock();
  const world = setUp({ clock, servers: [{ transport: first.transport }, { transport: second.transport }] });
  const switches = () =>
    world.events.flatMap((event) => (event.kind === 'xds-switched' ? event.server.split(':')[0] : []));
  return { ...world, clock, first, second, switches };
}

const say = async (ads: ScriptedAds, version: string, ...names: string[]) => {
  ads.current().respondDelta({
    typeUrl: CDS,
    nonce: version,
    resources: names.map((name) => ({ name, version, resource: cluster(name) })),
  });
  await settle();
};

/** The first server is down, the second one serves cluster c. */
async function fallenBack() {
  const world = pair();
  const { told } = watch(world.discovery, clusterType, 'c');
  await settle();
  world.first.current().end(UNAVAILABLE, 'refused');
  await settle();
  world.second.current().up();
  await say(world.second, 's1', 'c');
  return { ...world, told };
}

describe('several control planes (gRFC A71)', () => {
  it('asks the next one when the first cannot be reached and something is not known', async () => {
    const { told, second, discovery, switches } = await fallenBack();
    expect(second.current().delta[0]).toMatchObject({
      resourceNamesSubscribe: ['c'],
      node: { id: 'sidecar~1~a.b~c' },
      initialResourceVersions: {},
    });
    expect(told).toEqual(['resource s1']);
    expect(switches()).toEqual(['192.0.2.2']);
    expect(discovery.status()).toMatchObject({
      server: '192.0.2.2:15010',
      state: 'up',
      servers: [
        { server: '192.0.2.1:15010', isUsed: false, reason: 'refused' },
        { server: '192.0.2.2:15010', isUsed: true },
      ],
    });
  });

  it('waits a second for one that takes long to connect to', async () => {
    const { discovery, clock, second } = pair();
    watch(discovery, clusterType, 'c');
    await clock.pass(999);
    expect(second.streams).toHaveLength(0);
    await clock.pass(1);
    expect(second.streams).toHaveLength(1);
  });

  it('stays with the first one while all that is wanted is known, through any outage; what is new goes to the next', async () => {
    const { discovery, clock, first, second } = pair();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    first.current().up();
    await say(first, 'f1', 'c');
    await clock.pass(5_000);
    first.current().end(UNAVAILABLE);
    await clock.pass(0);
    first.current().end(UNAVAILABLE);
    await clock.pass(600);
    expect(second.streams).toHaveLength(0);
    expect(told).toEqual(['resource f1']);
    watch(discovery, clusterType, 'd');
    await settle();
    // All that is wanted, not what is new alone: resources of two servers need not fit together.
    expect(second.current().delta[0]).toMatchObject({
      resourceNamesSubscribe: ['c', 'd'],
      initialResourceVersions: {},
    });
  });

  it('a name known to be absent is known', async () => {
    const { discovery, clock, first, second } = pair();
    watch(discovery, clusterType, 'c');
    await settle();
    first.current().up();
    first.current().respondDelta({ typeUrl: CDS, nonce: '1', removedResources: ['c'] });
    await clock.pass(5_000);
    first.current().end(UNAVAILABLE);
    await clock.pass(0);
    first.current().end(UNAVAILABLE);
    await clock.pass(20_000);
    expect(second.streams).toHaveLength(0);
  });

  it('keeps asking the first with back-off, and goes back when it answers with a resource: what it sends replaces, the rest stays', async () => {
    const { told, clock, first, second, discovery, switches } = await fallenBack();
    const other = watch(discovery, clusterType, 'd');
    await settle();
    await say(second, 's1', 'd');
    const before = first.streams.length;
    await clock.pass(1_200);
    expect(first.streams.length).toBe(before + 1);
    first.current().end(UNAVAILABLE);
    await clock.pass(2_000);
    first.current().up();
    // Connected is not answered.
    await clock.pass(500);
    expect(second.current().isClosed).toBe(false);
    await say(second, 's2', 'c');
    expect(first.current().delta[0]).toMatchObject({ resourceNamesSubscribe: ['c', 'd'], initialResourceVersions: {} });
    await say(first, 'f1', 'c');
    expect(second.current().isClosed).toBe(true);
    expect(first.current().delta.at(-1)).toMatchObject({ responseNonce: 'f1' });
    expect(told).toEqual(['resource s1', 'resource s2', 'resource f1']);
    expect(other.told).toEqual(['resource s1']);
    expect(switches()).toEqual(['192.0.2.2', '192.0.2.1']);
    // Nothing is heard of the one that was let go, and nothing is asked of it.
    await clock.pass(300_000);
    expect(second.streams).toHaveLength(1);
  });

  it('a version of the one is no version of the other', async () => {
    const { clock, first, second, told } = await fallenBack();
    await clock.pass(2_000);
    first.current().up();
    await say(first, 's1', 'c');
    expect(told).toEqual(['resource s1', 'resource s1']);
    first.current().end(UNAVAILABLE);
    await clock.pass(2_000);
    expect(first.current().delta[0]?.initialResourceVersions).toEqual({ c: 's1' });
    expect(second.streams).toHaveLength(1);
  });

  it('one that comes back and knows nothing at all is given time to learn before it is believed', async () => {
    const { told, clock, first, second } = await fallenBack();
    await clock.pass(2_000);
    first.current().up();
    first.current().respondDelta({ typeUrl: CDS, nonce: 'n', removedResources: ['c'] });
    await clock.pass(9_999);
    expect(told).toEqual(['resource s1']);
    expect(first.current().delta.at(-1)).toMatchObject({ responseNonce: 'n' });
    await clock.pass(1);
    expect(told).toEqual(['resource s1', 'absent']);
    expect(second.current().isClosed).toBe(true);
  });

  it('what it called absent counts from the moment at which it names something', async () => {
    const { told, clock, first, discovery } = await fallenBack();
    const other = watch(discovery, clusterType, 'd');
    await settle();
    await clock.pass(2_000);
    first.current().up();
    first.current().respondDelta({ typeUrl: CDS, nonce: 'n', removedResources: ['c'] });
    await settle();
    await say(first, 'f1', 'd');
    expect(told).toEqual(['resource s1', 'absent']);
    expect(other.told).toEqual(['silent', 'resource f1']);
  });

  it('is forgotten when it is lost again before it named anything', async () => {
    const { told, clock, first } = await fallenBack();
    await clock.pass(2_000);
    first.current().up();
    first.current().respondDelta({ typeUrl: CDS, nonce: 'n', removedResources: ['c'] });
    await settle();
    first.current().end(UNAVAILABLE);
    await clock.pass(60_000);
    expect(told).toEqual(['resource s1']);
  });

  it('what two better ones say while they learn is kept apart', async () => {
    const [first, second, third] = ['192.0.2.1:1', '192.0.2.2:1', '192.0.2.3:1'].map(createScriptedAds);
    if (first === undefined || second === undefined || third === undefined) throw new Error('three are made');
    const { discovery, clock } = setUp({ servers: [first, second, third] });
    const [c, d] = ['c', 'd'].map((name) => watch(discovery, clusterType, name));
    await settle();
    for (const ads of [first, second]) {
      ads.current().end(UNAVAILABLE);
      await settle();
    }
    third.current().up();
    await say(third, 't1', 'c', 'd');
    await clock.pass(4_000);
    first.current().up();
    first.current().respondDelta({ typeUrl: CDS, nonce: 'f', removedResources: ['c'] });
    second.current().up();
    second.current().respondDelta({ typeUrl: CDS, nonce: 's', removedResources: ['d'] });
    await settle();
    await say(second, 's1', 'c');
    expect([third, second, first].map((ads) => ads.current().isClosed)).toEqual([true, false, false]);
    expect([c?.told, d?.told]).toEqual([
      ['resource t1', 'resource s1'],
      ['resource t1', 'absent'],
    ]);
    await clock.pass(10_000);
    expect(second.current().isClosed).toBe(true);
    expect(c?.told).toEqual(['resource t1', 'resource s1', 'absent']);
  });

  it('does not wait for a name on a server that is down: the timers run on the one that was asked', async () => {
    const { discovery, clock } = await fallenBack();
    const { told } = watch(discovery, listenerType, 'a:1');
    await clock.pass(1_000);
    expect(told).toEqual(['silent']);
    await clock.pass(14_000);
    expect(told).toEqual(['silent', 'absent']);
  });

  it('a registration is never cached: the process goes where it can say that it is there, and tells both on the way back', async () => {
    const { discovery, clock, first, second } = pair();
    discovery.setMetadata('INMESH_REGISTER', [{ service: 's', port: 1 }]);
    await settle();
    first.current().end(UNAVAILABLE);
    await settle();
    expect(second.current().delta[0]?.node?.metadata).toMatchObject({ INMESH_REGISTER: [{ service: 's', port: 1 }] });
    await clock.pass(2_000);
    expect(first.current().delta[0]?.node?.metadata).toMatchObject({ INMESH_REGISTER: [{ service: 's', port: 1 }] });
    second.current().up();
    discovery.setMetadata('INMESH_REGISTER', []);
    for (const ads of [first, second])
      expect(ads.current().delta.at(-1)?.node?.metadata).toMatchObject({ INMESH_REGISTER: [] });
  });

  it('says that it is connected whichever of them can be spoken to', async () => {
    const { discovery, first, second } = pair();
    let isConnected = false;
    void discovery.connected().then(() => {
      isConnected = true;
    });
    await settle();
    first.current().end(UNAVAILABLE);
    await settle();
    expect(isConnected).toBe(false);
    second.current().up();
    await settle();
    expect(isConnected).toBe(true);
  });

  it('state of the world: what the other one sent is no deletion of the first', async () => {
    const first = createScriptedAds('192.0.2.1:1');
    const second = createScriptedAds('192.0.2.2:1');
    const { discovery, clock } = setUp({ method: 'sotw', servers: [first, second] });
    const a = watch(discovery, listenerType, 'a:1');
    await settle();
    first.current().end(UNAVAILABLE);
    await settle();
    second.current().up();
    second.current().respondSotw({ typeUrl: LDS, nonce: '1', versionInfo: '1', resources: [listener('a:1', 'r')] });
    await clock.pass(2_000);
    first.current().up();
    // Asked after the stream was opened: the answer under way cannot know of it.
    const b = watch(discovery, listenerType, 'b:1');
    await settle();
    second.current().respondSotw({
      typeUrl: LDS,
      nonce: '2',
      versionInfo: '2',
      resources: [listener('a:1', 'r'), listener('b:1', 'r')],
    });
    await settle();
    first.current().respondSotw({ typeUrl: LDS, nonce: '1', versionInfo: '9', resources: [listener('a:1', 'other')] });
    await settle();
    expect(a.told).toEqual(['resource 1', 'resource 9']);
    expect(b.told).toEqual(['resource 2']);
    expect(second.current().isClosed).toBe(true);
  });
});
