import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { clientConfig } from './client-config.ts';
import { CDS, setUp, UNAVAILABLE, watch } from './discovery.fixture.ts';

describe('time', () => {
  it('starts the does-not-exist timer when the stream is up, stops it while it is not (gRFC A57)', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, listenerType, 'a:1');
    await clock.pass(60_000);
    expect(told).toEqual([]);
    ads.current().up();
    await clock.pass(999);
    expect(told).toEqual([]);
    await clock.pass(1);
    expect(told).toEqual(['silent']);
    ads.current().end(UNAVAILABLE);
    await clock.pass(30_000);
    ads.current().up();
    await clock.pass(15_000);
    expect(told).toEqual(['silent', 'silent', 'absent']);
  });

  it('starts it when the name has been asked for, not while the request is held back (gRFC A57)', async () => {
    const turns: (() => void)[] = [];
    const { ads, discovery, clock } = setUp({ turn: () => new Promise((resolve) => turns.push(resolve)) });
    watch(discovery, clusterType, 'c');
    await settle();
    ads.current().up();
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
    turns.shift()?.();
    await settle();
    clock.now = now;
    // The response is being read: a request now would be answered under a nonce of before.
    const { told } = watch(discovery, clusterType, 'd');
    await clock.pass(60_000);
    expect(ads.current().delta).toHaveLength(1);
    expect(told).toEqual([]);
    while (turns.length > 0) {
      turns.shift()?.();
      await settle();
    }
    expect(ads.current().delta.at(-1)).toMatchObject({ resourceNamesSubscribe: ['d'] });
    await clock.pass(14_999);
    expect(told).toEqual(['silent']);
    await clock.pass(1);
    expect(told).toEqual(['silent', 'absent']);
  });

  it('a first version that is refused ends it: an error, never an absence (gRFC A88)', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().up();
    const resource = cluster('c', { edsClusterConfig: {} });
    ads.current().respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '1', resource }] });
    await clock.pass(60_000);
    expect(told).toEqual([expect.stringMatching(/^error/)]);
    ads.current().end(UNAVAILABLE);
    await clock.pass(5_000);
    ads.current().up();
    await clock.pass(60_000);
    expect(told).toHaveLength(1);
  });

  it('an answer that comes after all counts', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().up();
    await clock.pass(20_000);
    ads
      .current()
      .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '1', resource: cluster('c') }] });
    await settle();
    expect(told).toEqual(['silent', 'absent', 'resource 1']);
  });

  it('resource_timer_is_transient_error: 30 s, and slowness instead of absence (gRFC A88)', async () => {
    const ads = createScriptedAds();
    const features = new Set(['resource_timer_is_transient_error']);
    const { discovery, clock } = setUp({ servers: [{ transport: ads.transport, features }] });
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().up();
    await clock.pass(29_999);
    expect(told).toEqual(['silent']);
    await clock.pass(1);
    expect(told).toEqual(['silent', 'error Cluster "c": no answer for 30 s']);
    expect(clientConfig(discovery.status()).genericXdsConfigs).toMatchObject([{ name: 'c', clientStatus: 'TIMEOUT' }]);
    ads.current().end(UNAVAILABLE);
    await clock.pass(3_000);
    ads.current().up();
    await clock.pass(30_000);
    expect(told).toEqual([
      'silent',
      'error Cluster "c": no answer for 30 s',
      'silent',
      'error Cluster "c": no answer for 30 s',
    ]);
  });

  it('gives an answer that waits in the kernel one turn when the event loop was stalled', async () => {
    const { ads, discovery, clock } = setUp();
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().up();
    await clock.pass(1_000);
    clock.stall(60_000);
    await clock.pass(0);
    expect(told).toEqual(['silent', 'absent']);
  });

  it('waits 1 s × 1.6 ± 20 % up to 120 s while streams deliver nothing', async () => {
    const { ads, discovery, clock, events } = setUp();
    watch(discovery, listenerType, 'a:1');
    await settle();
    for (let step = 0; step < 14; step += 1) {
      ads.current().end(UNAVAILABLE);
      await clock.pass(150_000);
    }
    const waits = events.flatMap((event) => (event.kind === 'xds-disconnected' ? event.retryMs : []));
    for (const [index, ms] of waits.entries()) {
      const plain = Math.min(1_000 * 1.6 ** index, 120_000);
      expect(ms).toBeGreaterThanOrEqual(plain * 0.8);
      expect(ms).toBeLessThanOrEqual(plain * 1.2);
    }
    expect(new Set(waits).size).toBe(waits.length);
  });

  it('asks a control plane on this machine at least every 0.3 s', async () => {
    const { ads, discovery, clock, events } = setUp({}, '127.0.0.1:15010');
    watch(discovery, listenerType, 'a:1');
    await settle();
    for (let step = 0; step < 10; step += 1) {
      ads.current().end(UNAVAILABLE);
      await clock.pass(300);
    }
    expect(ads.streams).toHaveLength(11);
    for (const event of events) if (event.kind === 'xds-disconnected') expect(event.retryMs).toBeLessThanOrEqual(300);
  });

  it('reconnects at once after a stream that delivered, but not in a loop', async () => {
    const { ads, discovery, clock } = setUp();
    watch(discovery, clusterType, 'c');
    await settle();
    const serve = () => ads.current().respondDelta({ typeUrl: CDS, nonce: '1' });
    ads.current().up();
    serve();
    await clock.pass(1_500);
    ads.current().end(0);
    await clock.pass(0);
    expect(ads.streams).toHaveLength(2);
    // This one delivers too, but dies at once.
    ads.current().up();
    serve();
    ads.current().end(0);
    await clock.pass(700);
    expect(ads.streams).toHaveLength(2);
    await clock.pass(600);
    expect(ads.streams).toHaveLength(3);
  });

  it('says after a reconnect, not at the start, that the control plane may still be learning', async () => {
    const { ads, discovery, clock } = setUp();
    watch(discovery, listenerType, 'a:1');
    await settle();
    ads.current().up();
    expect(discovery.settlesInMs()).toBe(0);
    ads.current().end(UNAVAILABLE);
    await clock.pass(2_000);
    ads.current().up();
    expect(discovery.settlesInMs()).toBe(10_000);
    await clock.pass(10_000);
    expect(discovery.settlesInMs()).toBe(0);
  });

  it('holds the process only while someone waits, through outages too', async () => {
    const { ads, discovery, clock, holds } = setUp();
    watch(discovery, listenerType, 'a:1');
    await settle();
    expect(holds.count).toBe(0);
    discovery.ref();
    discovery.ref();
    expect(holds.count).toBe(1);
    expect(ads.current().refs).toBe(1);
    ads.current().end(UNAVAILABLE);
    await clock.pass(2_000);
    expect(ads.current().refs).toBe(1);
    discovery.unref();
    discovery.unref();
    expect(holds.count).toBe(0);
    expect(ads.current().refs).toBe(0);
  });
});
