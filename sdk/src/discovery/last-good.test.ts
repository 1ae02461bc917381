import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { anyOf, createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { SecretSchema, UpstreamTlsContextSchema } from '../../gen/tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../connection/certificates.fixture.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { routeSourcesType } from '../resource/route-sources.ts';
import { secretType } from '../resource/tls/secret.ts';
import { clientConfig } from './client-config.ts';
import { createDiscovery } from './discovery.ts';
import { createLastGood } from './last-good.ts';
import { openSnapshotFile } from './snapshot-file.ts';

const CDS = clusterType.typeUrl;
const newPath = () => path.join(mkdtempSync(path.join(tmpdir(), 'inmesh-snapshot-')), 'mesh.snapshot');

function start(file: string) {
  const clock = createFakeClock();
  const ads = createScriptedAds();
  const events: MeshEvent[] = [];
  const emit = (event: MeshEvent) => events.push(event);
  const discovery = createDiscovery({
    servers: [{ transport: ads.transport }],
    node: { id: 'n', cluster: 'c', metadata: {} },
    clock,
    random: seededRandom(1),
    emit,
    lastGood: createLastGood({ file: openSnapshotFile(file), clock, emit }),
  });
  const told: string[] = [];
  discovery.subscribe(clusterType, 'c', {
    onResource: (_value, version) => told.push(version),
    onAbsent: () => told.push('absent'),
    onError: (reason) => told.push(reason),
  });
  return { clock, ads, events, discovery, told };
}

const sealed = (body: string) => `inmesh-snapshot 2 ${createHash('sha256').update(body).digest('hex')}\n${body}`;

/** A process that saw version 7 and ended. */
async function firstLife(file: string): Promise<void> {
  const { ads, discovery } = start(file);
  await settle();
  ads.current().up();
  ads
    .current()
    .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '7', resource: cluster('c') }] });
  await settle();
  await discovery.close();
}

describe('the last good configuration on disk', () => {
  it('is used while the control plane is away, and differences are asked for when it is back', async () => {
    const file = newPath();
    await firstLife(file);
    const { ads, clock, told, events, discovery } = start(file);
    await settle();
    expect(told).toEqual([]);
    ads.current().end(14);
    await settle();
    expect(told).toEqual(['7']);
    expect(events).toContainEqual({ kind: 'xds-stale', typeUrl: CDS, resource: 'c', sentMs: 1_800_000_000_000 });
    expect(discovery.status().resources).toMatchObject([{ name: 'c', staleSinceMs: 1_800_000_000_000 }]);
    await clock.pass(2_000);
    expect(ads.current().delta[0]?.initialResourceVersions).toEqual({ c: '7' });
    ads.current().up();
    expect(discovery.status().resources[0]).not.toHaveProperty('staleSinceMs');
  });

  it('waits a second for a control plane that is slow to connect to, and yields to one that answers', async () => {
    const file = newPath();
    await firstLife(file);
    const slow = start(file);
    await slow.clock.pass(defaultOf('silentControlPlaneMs') - 1);
    expect(slow.told).toEqual([]);
    await slow.clock.pass(1);
    expect(slow.told).toEqual(['7']);
    const prompt = start(file);
    await settle();
    prompt.ads.current().up();
    prompt.ads.current().respondDelta({ typeUrl: CDS, nonce: '1', removedResources: ['c'] });
    await prompt.clock.pass(5_000);
    expect(prompt.told).toEqual(['absent']);
    await expect.poll(() => readFileSync(file, 'utf8')).not.toContain('"c"');
  });

  it('is written a moment after a change, whole, for its owner alone', async () => {
    const file = newPath();
    const { ads, clock } = start(file);
    await settle();
    ads
      .current()
      .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '7', resource: cluster('c') }] });
    await clock.pass(defaultOf('snapshotDelayMs'));
    await expect.poll(() => statSync(file, { throwIfNoEntry: false })?.mode.toString(8)).toBe('100600');
    expect(readFileSync(file, 'utf8').split('\n')).toEqual([
      expect.stringMatching(/^inmesh-snapshot 2 [0-9a-f]{64}$/),
      expect.stringContaining('"7"'),
    ]);
  });

  it.each<[string, (good: string) => string | Buffer]>([
    ['is empty', () => ''],
    ['is of another version', (good) => good.replace('snapshot 2', 'snapshot 3')],
    ['is of an older version', () => 'inmesh-snapshot 1\n'],
    ['is not ours', () => '{"a":1}'],
    ['was cut in the middle', (good) => good.slice(0, -20)],
    ['was cut after a line', (good) => good.slice(0, good.lastIndexOf('\n'))],
    ['has a bit that changed', (good) => good.replace('"7"', '"8"')],
    ['is no text', () => Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0xff])],
    ['has no resource in a line', () => sealed('[1]')],
    ['was sent at no time at all', () => sealed(JSON.stringify([CDS, 'c', '7', 's', '', 1e300]))],
  ])('a file that %s is not used, and a warning says so', async (_what, spoil) => {
    const file = newPath();
    await firstLife(file);
    writeFileSync(file, spoil(readFileSync(file, 'utf8')));
    const { ads, told, events } = start(file);
    await settle();
    ads.current().end(14);
    await settle();
    expect(told).toEqual([]);
    expect(events).toContainEqual({ kind: 'warning', message: expect.stringContaining('snapshot is not used') });
  });

  it('a resource in it that cannot be read is not used either', async () => {
    const file = newPath();
    writeFileSync(file, sealed(JSON.stringify([CDS, 'c', '7', 's', '////', 1_800_000_000_000])));
    const { ads, told, events } = start(file);
    await settle();
    ads.current().end(14);
    await settle();
    expect(told).toEqual([]);
    expect(events).toContainEqual({ kind: 'warning', message: expect.stringContaining('Cluster "c" of the snapshot') });
  });

  it('a folder in its place, or a file too large, harms nothing', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-snapshot-'));
    expect(start(folder).events).toContainEqual({ kind: 'warning', message: expect.stringContaining('not used') });
    const file = newPath();
    writeFileSync(file, '');
    truncateSync(file, defaultOf('snapshotBytes') + 1);
    expect(start(file).events).toContainEqual({ kind: 'warning', message: expect.stringContaining('at most') });
  });

  it('keeps no type that could hold a secret: a type says of itself that it may be kept', async () => {
    const file = newPath();
    const { ads, discovery } = start(file);
    const secretType = { ...clusterType, typeUrl: 'type.googleapis.com/test.Secret', isKept: false };
    discovery.subscribe(secretType, 's', { onResource: () => {}, onAbsent: () => {}, onError: () => {} });
    await settle();
    const say = (typeUrl: string, name: string) => {
      const resource = { ...cluster(name), typeUrl };
      ads.current().respondDelta({ typeUrl, nonce: '1', resources: [{ name, version: '7', resource }] });
    };
    say(secretType.typeUrl, 's');
    say(CDS, 'c');
    await settle();
    await discovery.close();
    expect(readFileSync(file, 'utf8')).toContain(CDS);
    expect(readFileSync(file, 'utf8')).not.toContain('Secret');
    expect([listenerType, routeConfigurationType, clusterType, loadAssignmentType].map(({ isKept }) => isKept)).toEqual(
      [true, true, true, true],
    );
    expect(routeSourcesType.isKept).toBeUndefined();
  });

  it('says so when it cannot be written', async () => {
    const { ads, clock, events } = start('/proc/nowhere/mesh.snapshot');
    await settle();
    ads
      .current()
      .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'c', version: '7', resource: cluster('c') }] });
    await clock.pass(defaultOf('snapshotDelayMs'));
    await expect.poll(() => events.filter(({ kind }) => kind === 'warning')).toHaveLength(1);
  });

  it('never has a key: no secret is in it, and no cluster that holds one', async () => {
    const file = newPath();
    const { ads, discovery } = start(file);
    const seen: unknown[] = [];
    const watcher = { onResource: (value: unknown) => void seen.push(value), onAbsent() {}, onError() {} };
    discovery.subscribe(secretType, 's', watcher);
    await settle();
    ads.current().up();
    const inline = (inlineString: string) => ({ specifier: { case: 'inlineString', value: inlineString } }) as const;
    const pair = { certificateChain: inline(TEST_CERTIFICATE), privateKey: inline(TEST_KEY) };
    const secret = anyOf(SecretSchema, { name: 's', type: { case: 'tlsCertificate', value: pair } });
    const say = (typeUrl: string, name: string, resource: typeof secret) =>
      ads.current().respondDelta({ typeUrl, nonce: name, resources: [{ name, version: '1', resource }] });
    say(CDS, 'c', cluster('c'));
    say(secretType.typeUrl, 's', secret);
    await settle();
    const context = anyOf(UpstreamTlsContextSchema, { commonTlsContext: { tlsCertificates: [pair] } });
    const transportSocket = { name: 'tls', configType: { case: 'typedConfig', value: context } } as const;
    say(CDS, 'c', cluster('c', { transportSocket }));
    await settle();
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(clientConfig(discovery.status()))).toContain('"name":"s"');
    expect(JSON.stringify(clientConfig(discovery.status()))).not.toContain('PRIVATE KEY');
    await discovery.close();
    const text = readFileSync(file, 'utf8');
    expect(text.split('\n').slice(1).join('')).toBe('');
  });
});
