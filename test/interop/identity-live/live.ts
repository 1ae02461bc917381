import { afterEach, expect } from 'vitest';
import { type Guarded, guard } from '../../../sdk/src/server/index.ts';
import { peerAuthentication, startWorld, type World } from '../../harness/secure-world.ts';
import { findEnvoy } from '../envoy-hash/envoy.ts';
import { listenPlain, showApp } from './apps.ts';
import { inbound, type MeshEnvoy, outbound, plainCluster, startMeshEnvoy } from './envoy-process.ts';

/** Empty: there is none here. */
export const binary = findEnvoy() ?? '';
/** The cluster of a service of one port. */
export const clusterOf = (service: string): string => `outbound|9080||${service}.shop.svc.cluster.local`;
export const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 50 });

const worlds: World[] = [];

/** Worlds that end with their test. */
export function useWorlds(): typeof startWorld {
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  return async (...args) => {
    const world = await startWorld(...args);
    worlds.push(world);
    return world;
  };
}

/** A guarded server of the service account reviews. */
export async function startGuarded(
  world: World,
  port: number,
  app: Parameters<typeof guard>[0] = showApp(),
): Promise<Guarded> {
  const { mesh } = await world.mesh('reviews');
  const guarded = guard(app, { mesh, host: '127.0.0.1' });
  world.onClose(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(port);
  return guarded;
}

interface Api {
  readonly api: 'GRPC' | 'DELTA_GRPC';
  readonly secretService: boolean;
}

/** Reviews as an Envoy has it: our inbound listener, secrets by `api`, the application behind it. */
export async function startSidecar(world: World, port: number, options: Api): Promise<MeshEnvoy> {
  const app = showApp();
  world.onClose(() => app.close());
  const clusters = [plainCluster('app', await listenPlain(app))];
  const listeners = [inbound(peerAuthentication('STRICT'), port)];
  return startMeshEnvoy(binary, world, { account: 'reviews', ...options, clusters, listeners });
}

/** An Envoy of the account web that calls for whoever asks it in plain. */
export const startCaller = (world: World): Promise<MeshEnvoy> =>
  startMeshEnvoy(binary, world, { account: 'web', api: 'DELTA_GRPC', listeners: [outbound()] });
