import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createMesh } from '@inmesh/sdk';
import { describe, expect, it } from 'vitest';
import type { ResourceTtls } from '../../../xds-server/src/embedded/api.ts';
import { main } from '../../../xds-server/src/main.ts';
import { service, type World } from '../../harness/secure-world.ts';
import { startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { listenPlain, showApp } from '../identity-live/apps.ts';
import { callThrough } from '../identity-live/call.ts';
import { binary, until, useWorlds } from '../identity-live/live.ts';

/** What has a time to live (Envoy Resource.ttl) stays while the control plane renews it, and goes when that is gone. */

const start = useWorlds();
const TTL_MS = 1_000;

async function startShop(resourceTtlMs: ResourceTtls): Promise<World> {
  const app = showApp();
  const yaml = service('reviews', 'reviews', await listenPlain(app)).replace(', security.istio.io/tlsMode: istio', '');
  const world = await start(yaml, { resourceTtlMs });
  world.onClose(() => app.close());
  return world;
}

/** Calls go on for several times to live; then the control plane ends, and soon they do not. */
async function outlive(world: World, call: () => Promise<number>): Promise<void> {
  const end = Date.now() + 4 * TTL_MS;
  while (Date.now() < end) {
    expect(await call()).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(world.server.clients().flatMap(({ types }) => Object.values(types).map(({ status }) => status))).not.toContain(
    'NACK',
  );
  await world.server.close();
  await until(call).not.toBe(200);
}

describe('the SDK', () => {
  it.each(['delta', 'sotw'] as const)('%s', async (protocol) => {
    const world = await startShop({ cds: TTL_MS });
    const own = { xds: `127.0.0.1:${world.plainPort}`, namespace: 'shop', protocol };
    const mesh = createMesh(own, { env: {} });
    world.onClose(() => mesh.close());
    await outlive(world, async () => (await mesh.fetch('http://reviews:9080/')).status);
  });
});

describe.skipIf(binary === '')('Envoy', () => {
  const open = async (world: World, api: string): Promise<() => Promise<number>> => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const out = path.join(world.folder, 'envoy.json');
    const where = ['--xds', `127.0.0.1:${world.plainPort}`, '--namespace', 'shop', '--admin', `127.0.0.1:${adminPort}`];
    const outbound = ['--outbound', `reviews:9080=127.0.0.1:${port}`];
    expect(await main(['bootstrap', '--kind', 'envoy', ...where, ...outbound, '--out', out])).toBe(0);
    const text = readFileSync(out, 'utf8').replace('DELTA_GRPC', api).replace('"timeout": "15s"', '"timeout": "1s"');
    const envoy = await startEnvoy(binary, JSON.parse(text), adminPort);
    world.onClose(() => envoy.stop());
    return async () => (await callThrough(undefined, port, {})).status;
  };

  it('delta', async () => {
    const world = await startShop({ cds: TTL_MS });
    await outlive(world, await open(world, 'DELTA_GRPC'));
  });

  // Clusters on demand are for delta alone: over the state of the world it has its routes.
  it('state of the world: what renews its routes is not refused', async () => {
    const world = await startShop({ rds: TTL_MS });
    await open(world, 'GRPC');
    const end = Date.now() + 4 * TTL_MS;
    const statuses = () => world.server.clients().map(({ types }) => types.rds?.status);
    await until(statuses).toEqual(['SYNCED']);
    while (Date.now() < end) {
      expect(statuses()).toEqual(['SYNCED']);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});
