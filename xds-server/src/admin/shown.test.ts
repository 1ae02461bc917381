import { create, toJsonString } from '@bufbuild/protobuf';
import { NodeSchema } from '@inmesh/sdk/internal/gen/core';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { ClientStatusRequestSchema, ClientStatusResponseSchema } from '@inmesh/sdk/internal/gen/services';
import { describe, expect, it } from 'vitest';
import type { Session } from '../discovery/session.ts';
import { encodeResource } from '../snapshot/encoded-resource.ts';
import { certificatePem, keyPem, secret, service } from '../translate/fixtures/mutual-tls.ts';
import { objectsOf, viewFrom, worldFromObjects } from '../translate/fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE, SECRET_TYPE } from '../translate/resource-types.ts';
import { TRANSLATORS } from '../translate/translate.ts';
import { clientStatus } from './client-status.ts';
import { limitLines } from './clients.ts';
import { configDump } from './config-dump.ts';

const KEY = 'U0VDUkVULUtFWQ==';
const REVIEWS = 'outbound|9080||reviews.default.svc.cluster.local';
const BANK = 'kubernetes://bank';
const yaml = [service(), secret('bank', { cert: certificatePem('cGVlcg=='), key: keyPem(KEY) })];
const world = worldFromObjects(objectsOf(...yaml));

const lookup = (typeUrl: string, name: string) => {
  const body = TRANSLATORS.get(typeUrl)?.(world, viewFrom('default'), name);
  return body && encodeResource(typeUrl, name, body, () => 'v1');
};

describe('a page shows of a Secret that it is there, never what is in it', () => {
  it('/config_dump', async () => {
    const names = new Map([
      [SECRET_TYPE, [BANK]],
      [CLUSTER_TYPE, [REVIEWS]],
    ]);
    const dump = JSON.stringify(await configDump([{ names }], lookup));
    expect(JSON.parse(dump)).toMatchObject({
      sds: { [BANK]: { version: 'v1' } },
      cds: { [REVIEWS]: { resource: {} } },
    });
    expect(dump).not.toContain('PRIVATE');
    expect(dump).not.toContain(KEY);
  });

  it('client status (CSDS)', async () => {
    const fate = { kind: 'asked' } as const;
    const session = {
      node: create(NodeSchema, { id: 'web' }),
      *resources() {
        yield { typeUrl: SECRET_TYPE, name: BANK, version: 'v1', fate };
        yield { typeUrl: CLUSTER_TYPE, name: REVIEWS, version: 'v1', fate };
      },
    };
    const status = await clientStatus(
      { sessions: () => [session], resource: (_, typeUrl, name) => lookup(typeUrl, name), limits: () => [] },
      create(ClientStatusRequestSchema, {}),
    );
    if ('error' in status) throw new Error(status.error);
    const [bank, reviews] = status.config[0]?.genericXdsConfigs ?? [];
    expect(bank).toMatchObject({ name: BANK, versionInfo: 'v1' });
    expect(bank?.xdsConfig).toBeUndefined();
    expect(reviews?.xdsConfig).toBeDefined();
    expect(toJsonString(ClientStatusResponseSchema, status, { registry })).not.toContain('PRIVATE');
  });
});

describe('what a client does not do as written', () => {
  it('is looked up for no more names than a page has time for', () => {
    const names = new Map([[CLUSTER_TYPE, Array.from({ length: 10_000 }, (_, index) => `c${index}`)]]);
    let looked = 0;
    const limits = limitLines({ names } as unknown as Session, () => {
      looked++;
      return [];
    });
    expect(limits).toEqual([`cds: the first ${looked} of 10000 names`]);
    expect(looked).toBeLessThanOrEqual(1_000);
  });
});
