import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../sdk/src/clock.ts';
import { peerAuthentication, service } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { callThrough } from './call.ts';
import { binary, clusterOf, startCaller, startGuarded, startSidecar, until, useWorlds } from './live.ts';

const start = useWorlds();

/** A day is 2 s for what waits so long: certificates are renewed as often. */
const hasty = {
  ...systemClock,
  after: (ms: number, run: () => void, nowMs?: number) => systemClock.after(ms > 3_600_000 ? 2_000 : ms, run, nowMs),
};

describe.skipIf(binary === '')('rotation', () => {
  it('a certificate every 2 s is pushed to both Envoys; no request fails', async () => {
    const [port, sidecarPort] = [await freePort(), await freePort()];
    const world = await start(
      service('guarded', 'reviews', port) + service('sidecar', 'reviews', sidecarPort) + peerAuthentication('STRICT'),
      { clock: hasty },
    );
    await startGuarded(world, port);
    const sidecar = await startSidecar(world, sidecarPort, { api: 'GRPC', secretService: true });
    const envoy = await startCaller(world);
    const out = await envoy.port('outbound');
    const { mesh } = await world.mesh('web', { certificateTtlMs: 4_000 });
    const wrong: string[] = [];
    const hashes = new Map<string, Set<string>>([
      ['guarded', new Set()],
      ['sidecar', new Set()],
      ['mesh', new Set()],
    ]);
    let isOver = false;
    const note = (who: string, status: number, text: string): void => {
      const hash = status === 200 ? /Hash=(\w+)/.exec(text)?.[1] : undefined;
      if (hash === undefined) wrong.push(`${who}: ${status} ${text}`);
      else hashes.get(who)?.add(hash);
    };
    const agent = new http.Agent({ keepAlive: true });
    world.onClose(() => agent.destroy());
    const loop = async (call: () => Promise<void>): Promise<void> => {
      while (!isOver) await call().catch((error: unknown) => void wrong.push(String(error)));
    };
    const loops = [
      ...['guarded', 'sidecar'].map((name) =>
        loop(async () => {
          const { status, text } = await callThrough(agent, out, { 'x-cluster': clusterOf(name) });
          note(name, status, text);
        }),
      ),
      loop(async () => {
        const answer = await mesh.fetch('http://sidecar.shop:9080/');
        note('mesh', answer.status, await answer.text());
      }),
    ];
    const updates = async (): Promise<number> =>
      Math.min(await envoy.counter('sds.default.update_success'), await sidecar.counter('sds.default.update_success'));
    await until(updates).toBeGreaterThan(5);
    isOver = true;
    await Promise.all(loops);
    expect(wrong).toEqual([]);
    expect(hashes.get('mesh')?.size).toBeGreaterThan(1);
  });
});
