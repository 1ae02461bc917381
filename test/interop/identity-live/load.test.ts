import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { createAuthority } from '../../../xds-server/src/ca/authority.ts';
import {
  keepCalling,
  REVIEWS,
  type SecureMesh,
  startSecureMesh,
  until,
} from '../../integration/identity/secure-mesh.fixture.ts';

/** Ten thousand requests each; the same at a walk is in test/integration/identity. */

const REQUESTS = 10_000;
const SHORT = { certificateTtlMs: 4_000 };
/** A process that stands still for so long at a time lets a certificate of four seconds end, by no fault of who renews it. */
const STILL_MS = 400;

let world: SecureMesh;
afterEach(() => world.close());

async function start(identity: { certificateTtlMs?: number }) {
  world = await startSecureMesh();
  const delays = monitorEventLoopDelay();
  delays.enable();
  const processes = [
    await world.process('web', identity),
    await world.process('reviews', identity),
    await world.process('reviews', identity),
  ] as const;
  const [web, ...servers] = processes;
  for (const server of servers) await world.reviews(server);
  await web.mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
  const calling = keepCalling(web.mesh, { callers: 8 });
  return {
    web,
    calling,
    rotations: () => Math.min(...processes.map((one) => one.rotations())),
    async done({ skip }: TestContext) {
      await until(calling.count).toBeGreaterThan(REQUESTS);
      await calling.end();
      expect(calling.wrong).toEqual([]);
      skip(
        delays.max / 1e6 > STILL_MS,
        `no call failed; stood still for over ${STILL_MS} ms: whether a certificate ended says nothing`,
      );
      const kinds = processes.flatMap(({ events }) => events.map(({ kind }) => kind));
      expect(kinds).not.toContain('identity-expired');
    },
  };
}

describe('under load', { timeout: 300_000 }, () => {
  it('a rotation every 2 s loses no request', async (context) => {
    const { rotations, done } = await start(SHORT);
    await until(rotations).toBeGreaterThan(6);
    await done(context);
  });

  it('a change of root, and one back to back with it, while certificates rotate every 2 s', async (context) => {
    const { rotations, done } = await start(SHORT);
    for (let time = 0; time < 2; time++) {
      const roots = await world.server.roots();
      // The control plane looks into the folder every ten seconds.
      const operator = await createAuthority({
        trustDomain: 'cluster.local',
        directory: path.join(world.directory, 'ca'),
      });
      await operator.rotateRoot({ delayMs: 12_000 });
      operator.close();
      await until(async () => (await world.server.roots()).length).toBeGreaterThan(roots.length);
      await until(async () => (await world.server.roots())[0] === roots[0]).toBe(false);
      const before = rotations();
      await until(rotations).toBeGreaterThan(before + 1);
    }
    await done(context);
  });

  it('the CA is killed and restored, several times', async (context) => {
    const { rotations, done } = await start({ certificateTtlMs: 12_000 });
    for (let time = 0; time < 3; time++) {
      const before = rotations();
      await world.stop();
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await world.restart();
      await until(rotations).toBeGreaterThan(before);
    }
    await done(context);
  });
});
