import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { ClientConfigSchema, ClientResourceStatus } from '../../gen/services.js';
import { clusterType } from '../resource/cluster/cluster.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { clientConfig } from './client-config.ts';
import { CDS, LDS, setUp, watch } from './discovery.fixture.ts';

const BAD = cluster('c', { edsClusterConfig: {} });
const WHY = 'eds_cluster_config.eds_config: missing, ads or self allowed';
const START = '2027-01-15T08:00:00.000Z';
const LATER = '2027-01-15T08:00:05.000Z';

/** Names in every state: of each, what the client says of it. */
async function world() {
  const { ads, discovery, clock } = setUp();
  for (const name of ['held', 'spoilt', 'refused', 'gone']) watch(discovery, clusterType, name);
  watch(discovery, listenerType, 'asked:1');
  await settle();
  ads.current().up();
  const say = async (version: string, list: Record<string, ReturnType<typeof cluster>>, removed: string[] = []) => {
    const resources = Object.entries(list).map(([name, resource]) => ({ name, version, resource }));
    ads.current().respondDelta({ typeUrl: CDS, nonce: version, resources, removedResources: removed });
    await settle();
  };
  await say('1', { held: cluster('held'), spoilt: cluster('spoilt') });
  await clock.pass(5_000);
  await say('2', { spoilt: BAD, refused: BAD }, ['gone']);
  return { discovery, clock };
}

describe('client status (gRFC A40, envoy.service.status.v3.ClientConfig)', () => {
  it('tells of each resource its state, the version in use, and what is wrong with the newest', async () => {
    const { discovery } = await world();
    const refusal = { details: WHY, lastUpdateAttempt: LATER, versionInfo: '2' };
    expect(clientConfig(discovery.status()).genericXdsConfigs).toEqual([
      { typeUrl: CDS, name: 'held', clientStatus: 'ACKED', versionInfo: '1', lastUpdated: START },
      {
        typeUrl: CDS,
        name: 'spoilt',
        clientStatus: 'NACKED',
        versionInfo: '1',
        lastUpdated: START,
        errorState: refusal,
      },
      { typeUrl: CDS, name: 'refused', clientStatus: 'NACKED', errorState: refusal },
      { typeUrl: CDS, name: 'gone', clientStatus: 'DOES_NOT_EXIST' },
      { typeUrl: LDS, name: 'asked:1', clientStatus: 'REQUESTED' },
    ]);
  });

  it('is proto3 JSON that any tool reads, but for the fields that are ours', async () => {
    const { discovery } = await world();
    const { servers, ...config } = clientConfig(discovery.status());
    const message = fromJson(ClientConfigSchema, JSON.parse(JSON.stringify(config)) as JsonValue);
    expect(message.node).toMatchObject({
      id: 'sidecar~1~a.b~c',
      userAgentName: 'inmesh-sdk',
      metadata: { NAMESPACE: 'b' },
    });
    const { ACKED, NACKED, DOES_NOT_EXIST, REQUESTED } = ClientResourceStatus;
    expect(message.genericXdsConfigs.map(({ clientStatus }) => clientStatus)).toEqual([
      ACKED,
      NACKED,
      NACKED,
      DOES_NOT_EXIST,
      REQUESTED,
    ]);
    expect(servers).toEqual([{ server: '192.0.2.1:15010', state: 'up', reason: undefined, isUsed: true }]);
  });
});
