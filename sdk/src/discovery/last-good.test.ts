import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
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
    transport: ads.transport,
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
    const sent = new Date(clock.wallTime()).toISOString().slice(0, 16);
    expect(events).toContainEqual({ kind: 'warning', message: expect.stringContaining(`as it was at ${sent}`) });
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
    expect(readFileSync(file, 'utf8').split('\n')).toEqual(['inmesh-snapshot 1', expect.stringContaining('"7"')]);
  });

  it.each([
    '',
    'inmesh-snapshot 2\n',
    'inmesh-snapshot 1\n{"a":1}\n[1]\n["x"',
    `inmesh-snapshot 1\n["${CDS}","c","7","////"]`,
  ])('a file that is not ours or was cut is not used: %j', async (text) => {
    const file = newPath();
    writeFileSync(file, text);
    const { ads, told } = start(file);
    await settle();
    ads.current().end(14);
    await settle();
    expect(told).toEqual([]);
  });

  it('keeps no type that could hold a secret', () => {
    const emit = () => {};
    const clock = createFakeClock();
    const store = createLastGood({ file: { read: () => undefined, write: () => Promise.resolve() }, clock, emit });
    const kept = { version: '1', bytes: new Uint8Array([1]) };
    const secret = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
    store.keep(secret, 's', kept);
    store.keep(CDS, 'c', kept);
    expect(store.find(secret, 's')).toBeUndefined();
    expect(store.find(CDS, 'c')).toMatchObject(kept);
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
});
