import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createMesh } from '../../../sdk/src/index.ts';
import { createAuthority } from '../../../xds-server/src/ca/authority.ts';
import { createTestMesh } from '../../../xds-server/src/testing/index.ts';
import { idOf, REVIEWS, startSecureMesh, until } from './secure-mesh.fixture.ts';

/** Who a process is, by what it was given. */

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const start = async () => {
  const world = await startSecureMesh();
  closers.push(() => world.close());
  return world;
};

describe('mesh.identity', { timeout: 120_000 }, () => {
  it('is undefined where there is no mesh, no credential, or none is wanted', async () => {
    const test = await createTestMesh();
    closers.push(() => test.close());
    const off = createMesh({}, { env: {} });
    const bare = createMesh({ transport: test.server.transport() }, { env: {} });
    const unwilling = test.mesh({ identity: false });
    closers.push(
      () => bare.close(),
      () => off.close(),
    );
    for (const mesh of [off, bare, unwilling]) expect(await mesh.identity()).toBeUndefined();
  });

  it('comes from the control plane of the same process without any credential', async () => {
    const test = await createTestMesh();
    closers.push(() => test.close());
    const mesh = test.mesh({ namespace: 'shop', serviceAccount: 'web' });
    expect(await mesh.identity()).toMatchObject({ id: idOf('web'), source: 'CA in this process', generation: 1 });
  });

  it('a process without one is told by the call that needs it how to get one', async () => {
    const world = await start();
    await world.reviews(await world.process('reviews'));
    const web = await world.process('web');
    await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    // The same process, but its token: as it may be on a control plane in the same machine.
    const test = await createTestMesh();
    closers.push(() => test.close());
    const bare = createMesh(
      { transport: world.server.transport({ namespace: 'shop', serviceAccount: 'web' }), identity: false },
      { env: {} },
    );
    closers.push(() => bare.close());
    const refused = await bare.fetch(REVIEWS, { mesh: { localReply: 'throw' } }).catch((error: unknown) => error);
    expect(String(refused)).toMatch(/no identity.*INMESH_TOKEN/);
  });
});

describe('identity from files', { timeout: 120_000 }, () => {
  it('is all the proof a control plane needs over TLS, from the first stream on; swapped files count without a restart', async () => {
    const world = await start();
    await world.reviews(await world.process('reviews'));
    const authority = await createAuthority({
      trustDomain: 'cluster.local',
      directory: path.join(world.directory, 'ca'),
    });
    closers.push(() => authority.close());
    const file = (name: string) => path.join(world.directory, name);
    const write = async (): Promise<string> => {
      const { chain, key, serial } = await authority.issueKeyPair({
        names: { uris: [idOf('batch')] },
        ttlMs: 3_600_000,
      });
      writeFileSync(file('key.pem'), key.export({ type: 'pkcs8', format: 'pem' }));
      writeFileSync(file('cert.pem'), chain.slice(0, -1).join('\n'));
      writeFileSync(file('roots.pem'), chain.at(-1) ?? '');
      return serial.toLowerCase();
    };
    const first = await write();
    const batch = await world.process(
      'batch',
      {
        certificateFile: file('cert.pem'),
        keyFile: file('key.pem'),
        rootFile: file('roots.pem'),
      },
      { token: false },
    );
    await batch.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    expect(batch.events.filter(({ kind }) => kind === 'xds-disconnected')).toEqual([]);
    expect(await (await batch.mesh.fetch(REVIEWS)).text()).toBe(idOf('batch'));
    expect((await batch.mesh.identity())?.serialNumber).toBe(first);
    const second = await write();
    await until(async () => (await batch.mesh.identity())?.serialNumber).toBe(second);
    expect(await (await batch.mesh.fetch(REVIEWS)).text()).toBe(idOf('batch'));
  });
});

describe('a credential that ends', { timeout: 120_000 }, () => {
  it('a token that is over is not missed: the certificate proves as much, to the control plane and to the CA', async () => {
    const world = await start();
    const web = await world.process('web', { certificateTtlMs: 6_000 }, { tokenMs: 3_000 });
    await web.mesh.identity();
    // A stream ends with the credential it rests on, and comes again with what there is then.
    await until(() => web.events.filter(({ kind }) => kind === 'xds-disconnected').length).toBeGreaterThan(0);
    const rotations = web.rotations();
    await until(() => web.rotations()).toBeGreaterThan(rotations + 1);
    await web.mesh.ready({ timeoutMs: 60_000 });
    expect(await web.mesh.identity()).toMatchObject({ id: idOf('web'), problem: undefined });
  });
});
