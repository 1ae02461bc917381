import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../xds-server/src/ca/authority.ts';
import { idOf, keepCalling, REVIEWS, type SecureMesh, startSecureMesh, until } from './secure-mesh.fixture.ts';

/** The SDK, the CA and guarded servers over real TLS, in real time: lives of seconds in place of a day. */

let world: SecureMesh | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

// A machine that stands still for two seconds lets a certificate of four seconds end.
describe('a workload with a token', { timeout: 180_000 }, () => {
  it('has its certificate from the control plane, and calls and is called under STRICT', async () => {
    world = await startSecureMesh();
    const [web, reviews] = [await world.process('web'), await world.process('reviews')];
    await world.reviews(reviews);
    await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    expect(await (await web.mesh.fetch(REVIEWS)).text()).toBe(idOf('web'));
    expect(await web.mesh.identity()).toMatchObject({
      id: idOf('web'),
      trustDomain: 'cluster.local',
      trusts: ['cluster.local'],
      source: expect.stringMatching(/^CA tls:\/\/127\.0\.0\.1:\d+$/),
      problem: undefined,
    });
  });

  it('a rotation every 2 s loses no request', async () => {
    world = await startSecureMesh();
    const short = { certificateTtlMs: 4_000 };
    const [web, reviews] = [await world.process('web', short), await world.process('reviews', short)];
    await world.reviews(reviews);
    await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    const calling = keepCalling(web.mesh, { callers: 8 });
    await until(() =>
      Math.min(web.rotations(), reviews.rotations(), Math.floor(calling.count() / 200)),
    ).toBeGreaterThan(4);
    await calling.end();
    expect(calling.wrong).toEqual([]);
    expect([...web.events, ...reviews.events].filter(({ kind }) => kind === 'identity-expired')).toEqual([]);
  });

  it('a change of root loses no request either: the new one is trusted before it signs', async () => {
    world = await startSecureMesh();
    const short = { certificateTtlMs: 4_000 };
    const [web, reviews] = [await world.process('web', short), await world.process('reviews', short)];
    await world.reviews(reviews);
    await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    const [before = ''] = await world.server.roots();
    const calling = keepCalling(web.mesh, { callers: 4, pauseMs: 20 });
    // The control plane looks into the folder every ten seconds.
    const operator = await createAuthority({
      trustDomain: 'cluster.local',
      directory: path.join(world.directory, 'ca'),
    });
    await operator.rotateRoot({ delayMs: 15_000 });
    await operator.close();
    const { server } = world;
    await until(async () => (await server.roots()).length).toBe(2);
    await until(async () => (await server.roots())[0]?.trim() === before.trim()).toBe(false);
    const counts = [web.rotations(), reviews.rotations()];
    await until(() => [web, reviews].every((one, at) => one.rotations() > (counts[at] ?? 0) + 1)).toBe(true);
    await calling.end();
    expect(calling.wrong).toEqual([]);
    expect(calling.count()).toBeGreaterThan(100);
  });

  it('goes on while the CA is away and its certificate is good; then it is refused nothing but its identity; then it recovers', async () => {
    world = await startSecureMesh();
    const short = { certificateTtlMs: 6_000 };
    const [web, reviews] = [await world.process('web', short), await world.process('reviews')];
    await world.reviews(reviews);
    await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
    expect((await web.mesh.fetch(REVIEWS)).status).toBe(200);
    await world.stop();
    await until(() => web.events.filter(({ kind }) => kind === 'identity-failed').length).toBeGreaterThan(0);
    expect(await (await web.mesh.fetch(REVIEWS)).text()).toBe(idOf('web'));
    await until(() => web.events.find(({ kind }) => kind === 'identity-expired')).toMatchObject({ id: idOf('web') });
    const refused = await web.mesh.fetch(REVIEWS, { mesh: { localReply: 'throw' } }).catch((error: unknown) => error);
    expect(String(refused)).toMatch(/certificate of spiffe:.*web expired at/);
    await expect(web.mesh.identity()).rejects.toThrow(/MESH_IDENTITY_UNAVAILABLE.*expired at .*ECONNREFUSED/);
    await world.restart();
    await until(async () => (await web.mesh.fetch(REVIEWS)).status).toBe(200);
    expect(await web.mesh.identity()).toMatchObject({ id: idOf('web'), problem: undefined });
  });
});
