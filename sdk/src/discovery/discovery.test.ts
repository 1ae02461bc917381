import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { cluster, listener, routes, toCluster } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { CDS, LDS, nackOf, setUp, UNAVAILABLE, watch } from './discovery.fixture.ts';

describe('requests (delta)', () => {
  it('asks for several names of a type in one request, the node in the first one only', async () => {
    const { ads, discovery } = setUp();
    watch(discovery, listenerType, 'a:1');
    watch(discovery, listenerType, 'b:1');
    watch(discovery, clusterType, 'c');
    await settle();
    const [first, second, ...rest] = ads.current().delta;
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      typeUrl: LDS,
      resourceNamesSubscribe: ['a:1', 'b:1'],
      node: { id: 'sidecar~1~a.b~c' },
    });
    expect(first?.node).toMatchObject({ userAgentName: 'inmesh-sdk', metadata: { NAMESPACE: 'b' } });
    expect(second).toMatchObject({ typeUrl: CDS, resourceNamesSubscribe: ['c'] });
    expect(second?.node).toBeUndefined();
  });

  it('drops and adds in one request, and never sends one that says nothing', async () => {
    const { ads, discovery } = setUp();
    const a = watch(discovery, listenerType, 'a:1');
    await settle();
    a.stop();
    watch(discovery, listenerType, 'b:1');
    const passing = watch(discovery, listenerType, 'c:1');
    passing.stop();
    await settle();
    expect(ads.current().delta[1]).toMatchObject({
      resourceNamesSubscribe: ['b:1'],
      resourceNamesUnsubscribe: ['a:1'],
    });
    expect(ads.current().delta).toHaveLength(2);
  });

  it('acknowledges with the nonce and no error', async () => {
    const { ads, discovery } = setUp();
    const { told, values } = watch(discovery, listenerType, 'a:1');
    await settle();
    ads.current().respondDelta({
      typeUrl: LDS,
      nonce: 'n1',
      resources: [{ name: 'a:1', version: '7', resource: listener('a:1', 'r') }],
    });
    await settle();
    expect(told).toEqual(['resource 7']);
    expect(values[0]).toMatchObject({ routes: { kind: 'rds', routeConfigurationName: 'r' } });
    expect(ads.current().delta[1]).toMatchObject({ typeUrl: LDS, responseNonce: 'n1', resourceNamesSubscribe: [] });
    expect(ads.current().delta[1]?.errorDetail).toBeUndefined();
  });

  it('takes the good resources of a response and names the bad ones with field, value and what is allowed (gRFC A46)', async () => {
    const { ads, discovery, events } = setUp();
    const good = watch(discovery, clusterType, 'good');
    const bad = watch(discovery, clusterType, 'bad');
    await settle();
    ads.current().respondDelta({
      typeUrl: CDS,
      nonce: 'n',
      resources: [
        { name: 'bad', version: '1', resource: cluster('bad', { edsClusterConfig: {} }) },
        { name: 'good', version: '1', resource: cluster('good') },
      ],
    });
    await settle();
    expect(good.told).toEqual(['resource 1']);
    expect(bad.told).toEqual(['error eds_cluster_config.eds_config: missing, ads or self allowed']);
    const nack = ads.current().delta.at(-1);
    expect(nack?.errorDetail).toMatchObject({
      code: 3,
      message: 'bad: eds_cluster_config.eds_config: missing, ads or self allowed',
    });
    expect(nackOf(events)).toHaveLength(1);
  });

  it('keeps the last good version when a newer one is bad, and asks for it by the good version after a reconnect', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const send = (version: string, resource: ReturnType<typeof cluster>) =>
      ads.current().respondDelta({ typeUrl: CDS, nonce: version, resources: [{ name: 'c', version, resource }] });
    ads.current().up();
    send('1', cluster('c'));
    await clock.pass(2_000);
    send('2', cluster('c', { edsClusterConfig: {} }));
    await settle();
    expect(told).toEqual(['resource 1', expect.stringMatching(/^error/)]);
    const late = watch(discovery, clusterType, 'c');
    await settle();
    expect(late.told).toEqual(['resource 1', expect.stringMatching(/^error/)]);
    ads.current().end(UNAVAILABLE);
    await clock.pass(0);
    expect(ads.streams).toHaveLength(2);
    expect(ads.current().delta[0]?.initialResourceVersions).toEqual({ c: '1' });
  });

  it('tells an absence at once when the server says so, and again a resource when it comes back unchanged', async () => {
    const { ads, discovery } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const resource = { name: 'c', version: '1', resource: cluster('c') };
    ads.current().respondDelta({ typeUrl: CDS, nonce: '1', resources: [resource] });
    ads.current().respondDelta({ typeUrl: CDS, nonce: '2', removedResources: ['c'] });
    ads.current().respondDelta({ typeUrl: CDS, nonce: '3', resources: [resource] });
    await settle();
    expect(told).toEqual(['resource 1', 'absent', 'resource 1']);
  });

  it('leaves alone what nobody asked for, resources without a body, and types it does not know', async () => {
    const { ads, discovery } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().respondDelta({
      typeUrl: CDS,
      nonce: '1',
      resources: [
        { name: 'other', version: '1', resource: { typeUrl: CDS, value: new Uint8Array([255]) } },
        { name: 'c', version: '1' },
      ],
    });
    ads.current().respondDelta({ typeUrl: 'type.googleapis.com/nobody.Knows', nonce: '2' });
    await settle();
    expect(told).toEqual([]);
    expect(ads.current().delta.at(-1)).toMatchObject({ responseNonce: '1' });
    expect(ads.current().delta.at(-1)?.errorDetail).toBeUndefined();
  });

  it('names a resource of the wrong type, and one of which only the name can be read', async () => {
    const { ads, discovery } = setUp();
    watch(discovery, clusterType, 'c');
    watch(discovery, clusterType, 'd');
    await settle();
    const garbage = Buffer.concat([cluster('d').value, Buffer.from([0xff, 0xff, 0xff])]);
    ads.current().respondDelta({
      typeUrl: CDS,
      nonce: '1',
      resources: [
        { name: 'c', version: '1', resource: listener('c', 'r') },
        { name: 'd', version: '1', resource: { typeUrl: CDS, value: garbage } },
      ],
    });
    await settle();
    const text = ads.current().delta.at(-1)?.errorDetail?.message ?? '';
    expect(text).toContain(`c: type "${LDS}"`);
    expect(text).toContain('d: cannot be read as envoy.config.cluster.v3.Cluster');
  });

  it('repeats the node when metadata changes, without asking for anything', async () => {
    const { ads, discovery } = setUp();
    discovery.setMetadata('INMESH_REGISTER', [{ service: 's', port: 1 }]);
    await settle();
    const [hello] = ads.current().delta;
    expect(hello?.node?.metadata).toMatchObject({ NAMESPACE: 'b', INMESH_REGISTER: [{ service: 's', port: 1 }] });
    expect(hello).toMatchObject({ resourceNamesSubscribe: [], typeUrl: expect.stringContaining('inmesh.v1') });
    watch(discovery, listenerType, 'a:1');
    await settle();
    discovery.setMetadata('INMESH_REGISTER', []);
    const last = ads.current().delta.at(-1);
    expect(last).toMatchObject({ typeUrl: LDS, resourceNamesSubscribe: [], resourceNamesUnsubscribe: [] });
    expect(last?.node?.metadata).toMatchObject({ INMESH_REGISTER: [] });
  });

  it("gives the server's revision back on the next stream", async () => {
    const { ads, discovery, clock } = setUp();
    watch(discovery, clusterType, 'c');
    await settle();
    ads.current().respondDelta({ typeUrl: CDS, nonce: '1', systemVersionInfo: 'rev-9' });
    await settle();
    ads.current().end(UNAVAILABLE);
    await clock.pass(3_000);
    expect(ads.current().delta[0]?.node?.metadata).toMatchObject({ INMESH_REVISION: 'rev-9' });
  });
});

describe('hostile servers', () => {
  it('drops a stream whose message is no response, and backs off', async () => {
    const { ads, discovery, clock, events } = setUp();
    watch(discovery, listenerType, 'a:1');
    await settle();
    ads.current().on.message(new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    await settle();
    expect(ads.current().isClosed).toBe(true);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'xds-disconnected', reason: expect.stringContaining('cannot be read') }),
    );
    await clock.pass(3_000);
    expect(ads.streams.length).toBeGreaterThan(1);
  });

  it('ignores a stream that was given up', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const old = ads.current();
    old.end(UNAVAILABLE);
    await clock.pass(2_000);
    old.on.opened?.();
    old.on.close({ code: 0, message: '' });
    old.isClosed = false;
    old.respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '1', resource: cluster('c') }] });
    await settle();
    expect(told).toEqual([]);
    expect(ads.streams).toHaveLength(2);
  });

  it('cuts a NACK short: 10,000 mistakes make a message, not a flood', async () => {
    const { ads, discovery } = setUp();
    const names = Array.from({ length: 2_000 }, (_, index) => `cluster-${index}`);
    for (const name of names) watch(discovery, clusterType, name);
    await settle();
    const resources = names.map((name) => ({ name, version: '1', resource: cluster(name, { edsClusterConfig: {} }) }));
    ads.current().respondDelta({ typeUrl: CDS, nonce: '1', resources });
    await settle();
    await settle();
    await expect.poll(() => ads.current().delta.at(-1)?.errorDetail?.message.length ?? 0).toBeGreaterThan(100);
    const text = ads.current().delta.at(-1)?.errorDetail?.message ?? '';
    expect(text.length).toBeLessThan(5_000);
    expect(text).toMatch(/and \d+ more$/);
  });

  it('tells nothing after close', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const stream = ads.current();
    await discovery.close();
    expect(stream.isClosed).toBe(true);
    await clock.pass(200_000);
    expect(told).toEqual([]);
    expect(ads.streams).toHaveLength(1);
  });
});

describe('order', () => {
  it('takes one response after the other, in slices, and keeps requests of a type back while its response is read', async () => {
    const order: string[] = [];
    const turns: (() => void)[] = [];
    const { ads, discovery, clock } = setUp({
      method: 'sotw',
      turn: () => new Promise((resolve) => turns.push(resolve)),
    });
    discovery.subscribe(clusterType, 'c', {
      onResource: () => order.push('cluster'),
      onAbsent: () => {},
      onError: () => {},
    });
    discovery.subscribe(listenerType, 'a:1', {
      onResource: () => order.push('listener'),
      onAbsent: () => {},
      onError: () => {},
    });
    await settle();
    const now = clock.now;
    // Every look at the clock is 6 ms later: each slice is spent at once.
    let spent = 0;
    clock.now = () => {
      spent += 6;
      return now() + spent;
    };
    ads.current().respondSotw({ typeUrl: CDS, nonce: 'n1', versionInfo: '1', resources: [cluster('c')] });
    ads.current().respondSotw({ typeUrl: LDS, nonce: 'n1', versionInfo: '1', resources: [listener('a:1', 'r')] });
    discovery.subscribe(clusterType, 'd', { onResource: () => {}, onAbsent: () => {}, onError: () => {} });
    await settle();
    expect(order).toEqual([]);
    const asked = () =>
      ads
        .current()
        .sotw.filter(({ typeUrl }) => typeUrl === CDS)
        .map((request) => [request.responseNonce, request.resourceNames.join()]);
    while (turns.length > 0) {
      turns.shift()?.();
      await settle();
    }
    expect(order).toEqual(['cluster', 'listener']);
    // The nonce goes out once, with the answer, and takes the new name along.
    expect(asked().filter(([nonce]) => nonce === 'n1')).toEqual([['n1', 'c,d']]);
  });

  it('asks on the new stream for a type whose response was still being read when the old one was lost', async () => {
    const turns: (() => void)[] = [];
    const { ads, discovery, clock } = setUp({ turn: () => new Promise((resolve) => turns.push(resolve)) });
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const now = clock.now;
    let spent = 0;
    clock.now = () => {
      spent += 6;
      return now() + spent;
    };
    ads
      .current()
      .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '1', resource: cluster('c') }] });
    await settle();
    clock.now = now;
    ads.current().end(UNAVAILABLE);
    await clock.pass(2_000);
    while (turns.length > 0) {
      turns.shift()?.();
      await settle();
    }
    expect(told).toEqual(['resource 1']);
    expect(
      ads
        .current()
        .delta.some(({ typeUrl, resourceNamesSubscribe }) => typeUrl === CDS && resourceNamesSubscribe.includes('c')),
    ).toBe(true);
  });
});

it('routes of a thousand are decoded without a word lost', async () => {
  const { ads, discovery } = setUp();
  const { routeConfigurationType } = await import('../resource/route/route-configuration.ts');
  const { values } = watch(discovery, routeConfigurationType, 'r');
  await settle();
  const list = Array.from({ length: 1_000 }, (_, index) => toCluster(`c${index}`, `/p${index}`));
  ads.current().respondDelta({
    typeUrl: routeConfigurationType.typeUrl,
    nonce: '1',
    resources: [{ name: 'r', version: '1', resource: routes('r', ...list) }],
  });
  await expect.poll(() => values.length).toBe(1);
  expect(values[0]?.virtualHosts[0]?.routes).toHaveLength(1_000);
});
