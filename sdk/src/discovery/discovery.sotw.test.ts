import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { cluster, endpoints } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { CDS, EDS, LDS, setUp, UNAVAILABLE, UNIMPLEMENTED, watch } from './discovery.fixture.ts';

describe('state of the world', () => {
  it('is used after UNIMPLEMENTED, at once, and remembered', async () => {
    const { ads, discovery, clock, events } = setUp();
    watch(discovery, listenerType, 'a:1');
    await settle();
    ads.current().end(UNIMPLEMENTED, 'unknown method');
    expect(ads.streams.map(({ method }) => method)).toEqual(['delta', 'sotw']);
    expect(ads.current().sotw[0]).toMatchObject({ resourceNames: ['a:1'], versionInfo: '', node: { cluster: 'c' } });
    ads.current().respondSotw({ typeUrl: LDS, nonce: '1', versionInfo: '1' });
    await settle();
    ads.current().end(UNAVAILABLE);
    await clock.pass(3_000);
    expect(ads.current().method).toBe('sotw');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'xds-connected', protocol: 'sotw' }));
  });

  it.each(['delta', 'sotw'] as const)('can be forced or forbidden: %s alone', async (method) => {
    const { ads, discovery, clock } = setUp({ method });
    watch(discovery, listenerType, 'a:1');
    await settle();
    ads.current().end(UNIMPLEMENTED);
    await clock.pass(5_000);
    expect(new Set(ads.streams.map((stream) => stream.method))).toEqual(new Set([method]));
    expect(ads.streams.length).toBeGreaterThan(1);
  });

  it('acknowledges with the new version, refuses with the old one, always with the newest nonce and all names', async () => {
    const { ads, discovery } = setUp({ method: 'sotw' });
    watch(discovery, clusterType, 'c');
    await settle();
    ads.current().respondSotw({ typeUrl: CDS, nonce: 'n1', versionInfo: 'v1', resources: [cluster('c')] });
    await settle();
    ads.current().respondSotw({
      typeUrl: CDS,
      nonce: 'n2',
      versionInfo: 'v2',
      resources: [cluster('c', { edsClusterConfig: {} })],
    });
    await settle();
    watch(discovery, clusterType, 'd');
    await settle();
    expect(
      ads
        .current()
        .sotw.map(({ versionInfo, responseNonce, resourceNames }) => [
          versionInfo,
          responseNonce,
          resourceNames.join(),
        ]),
    ).toEqual([
      ['', '', 'c'],
      ['v1', 'n1', 'c'],
      ['v1', 'n2', 'c'],
      ['v1', 'n2', 'c,d'],
    ]);
    expect(ads.current().sotw[2]?.errorDetail?.message).toContain('c: eds_cluster_config');
  });

  it('says "nothing" with an empty list once names were sent, and never starts with an empty list (no wildcard)', async () => {
    const { ads, discovery } = setUp({ method: 'sotw' });
    const c = watch(discovery, clusterType, 'c');
    await settle();
    ads.current().respondSotw({ typeUrl: CDS, nonce: 'n1', versionInfo: 'v1', resources: [cluster('c')] });
    await settle();
    c.stop();
    await settle();
    expect(ads.current().sotw.at(-1)).toMatchObject({ typeUrl: CDS, resourceNames: [], responseNonce: 'n1' });
    ads.current().end(UNAVAILABLE);
    watch(discovery, listenerType, 'a:1');
    await settle();
    expect(ads.current().sotw.filter(({ typeUrl }) => typeUrl === CDS && ads.streams.length > 1)).toEqual([]);
  });

  it('takes the absence of a cluster or listener for its deletion, of endpoints for nothing', async () => {
    const { ads, discovery } = setUp({ method: 'sotw' });
    const gone = watch(discovery, clusterType, 'gone');
    const stays = watch(discovery, clusterType, 'stays');
    const eds = watch(discovery, loadAssignmentType, 'e');
    await settle();
    ads
      .current()
      .respondSotw({ typeUrl: CDS, nonce: '1', versionInfo: '1', resources: [cluster('gone'), cluster('stays')] });
    ads.current().respondSotw({ typeUrl: EDS, nonce: '1', versionInfo: '1', resources: [endpoints('e', 1)] });
    ads.current().respondSotw({ typeUrl: CDS, nonce: '2', versionInfo: '2', resources: [cluster('stays')] });
    ads.current().respondSotw({ typeUrl: EDS, nonce: '2', versionInfo: '2', resources: [] });
    await settle();
    expect(gone.told).toEqual(['resource 1', 'absent']);
    // Equal bytes are not told again.
    expect(stays.told).toEqual(['resource 1']);
    expect(eds.told).toEqual(['resource 1']);
  });

  it('knows from the first response which of the names it asked for do not exist; later names wait for the timer', async () => {
    const { ads, discovery, clock } = setUp({ method: 'sotw' });
    const first = watch(discovery, listenerType, 'first:1');
    await settle();
    ads.current().up();
    const late = watch(discovery, listenerType, 'late:1');
    await settle();
    ads.current().respondSotw({ typeUrl: LDS, nonce: '1', versionInfo: '1' });
    await settle();
    expect(first.told).toEqual(['absent']);
    expect(late.told).toEqual([]);
    await clock.pass(15_000);
    expect(late.told).toEqual(['silent', 'absent']);
  });

  it('unwraps discovery.v3.Resource', async () => {
    const { ads, discovery } = setUp({ method: 'sotw' });
    const { told } = watch(discovery, clusterType, 'c');
    await settle();
    const { anyOf } = await import('../../../test/harness/scripted-ads.ts');
    const { ResourceSchema } = await import('../../gen/discovery.js');
    const wrapped = anyOf(ResourceSchema, { name: 'c', version: 'w', resource: cluster('c') });
    ads.current().respondSotw({ typeUrl: CDS, nonce: '1', versionInfo: '1', resources: [wrapped] });
    await settle();
    expect(told).toEqual(['resource 1']);
  });
});
