import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { CDS, setUp, watch } from './discovery.fixture.ts';

async function holding(...features: string[]) {
  const ads = createScriptedAds();
  const world = { ...setUp({ servers: [{ transport: ads.transport, features: new Set(features) }] }), ads };
  const { told } = watch(world.discovery, clusterType, 'c');
  await settle();
  const say = async (version: string, resource = cluster('c')) => {
    world.ads.current().respondDelta({ typeUrl: CDS, nonce: version, resources: [{ name: 'c', version, resource }] });
    await settle();
  };
  const remove = async () => {
    world.ads.current().respondDelta({ typeUrl: CDS, nonce: 'r', removedResources: ['c'] });
    await settle();
  };
  await say('1');
  return { ...world, told, say, remove };
}

const BAD = cluster('c', { connectTimeout: { seconds: -1n } });

describe('server features of the bootstrap', () => {
  it('without any: a deleted resource goes, a bad version leaves the last good one', async () => {
    const { told, say, remove } = await holding();
    await say('2', BAD);
    await remove();
    expect(told).toEqual(['resource 1', expect.stringContaining('error connect_timeout'), 'absent']);
  });

  it('ignore_resource_deletion keeps what is deleted, and says so (gRFC A53)', async () => {
    const { told, remove, events, say } = await holding('ignore_resource_deletion');
    await remove();
    expect(told).toEqual(['resource 1']);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'xds-warning', message: expect.stringContaining('A53') }),
    );
    await say('2');
    expect(told).toEqual(['resource 1', 'resource 2']);
  });

  it('fail_on_data_errors lets the last good version go with the bad one (gRFC A88)', async () => {
    const { told, say } = await holding('fail_on_data_errors');
    await say('2', BAD);
    expect(told).toEqual(['resource 1', 'absent']);
    await say('3');
    expect(told.at(-1)).toBe('resource 3');
  });
});
