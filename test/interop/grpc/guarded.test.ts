import { afterEach, describe, expect, it } from 'vitest';
import { guard } from '../../../sdk/src/server/index.ts';
import {
  destinationRule,
  idOf,
  peerAuthentication,
  service,
  startWorld,
  type World,
} from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { CASES, IMPLEMENTATIONS, runClient, secureWay } from './peers.ts';
import { createTestServer } from './test-service.ts';

/** The interop clients of other implementations against a guarded server of grpc-js. */

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function startGuarded(mode: string) {
  const port = await freePort();
  const rule = destinationRule('interop', `{ mode: ${mode === 'STRICT' ? 'ISTIO_MUTUAL' : 'DISABLE'} }`);
  const world = await startWorld(service('interop', 'interop', port, 'grpc') + peerAuthentication(mode) + rule);
  worlds.push(world);
  const callers = new Set<string>();
  const { mesh } = await world.mesh('interop');
  const guarded = guard(createTestServer(callers), { mesh, host: '127.0.0.1' });
  world.onClose(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(port);
  return { world, port, callers };
}

describe.each(IMPLEMENTATIONS)("%s's interop client, and a guarded server of grpc-js", (_, command) => {
  it.skipIf(command === undefined)('does every case in plain, where the mesh asks for no TLS', async () => {
    const { port, callers } = await startGuarded('DISABLE');
    expect(await runClient(command, { kind: 'plain' }, `127.0.0.1:${port}`)).toEqual(CASES);
    expect([...callers]).toEqual(['nobody']);
  });

  it.skipIf(command === undefined)(
    'does every case by mutual TLS under STRICT, by xDS, and is known by name',
    async () => {
      const { world, callers } = await startGuarded('STRICT');
      const target = 'interop.shop.svc.cluster.local:9080';
      expect(await runClient(command, await secureWay(world, 'web'), target)).toEqual(CASES);
      expect([...callers]).toEqual([idOf('web')]);
    },
  );
});
