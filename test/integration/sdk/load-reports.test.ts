import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { LoadReport } from '../../../xds-server/src/discovery/load-book.ts';
import { service, startWorld, type World } from '../../harness/secure-world.ts';

/** Our SDK reports what it calls to our control plane (LRS), over the connection's TLS as what it asks. */

let world: World | undefined;
afterEach(() => world?.close());

const CLUSTER = 'outbound|9080||echo.shop.svc.cluster.local';

async function startOrigin(of: (path: string) => number): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((request, response) => {
    response.statusCode = of(request.url ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

it('what the SDK calls is told to the control plane that asks for it, by locality, those that failed too', async () => {
  const origin = await startOrigin((path) => (path === '/bad' ? 500 : 200));
  const yaml = service('echo', 'echo', origin.port).replace(', security.istio.io/tlsMode: istio', '');
  world = await startWorld(yaml, { loadReportingIntervalMs: 200 });
  world.onClose(() => origin.close());
  const { admin } = await world.server.listen({ admin: '127.0.0.1:0' });
  const { mesh } = await world.mesh('web');
  for (let calls = 0; calls < 5; calls++) expect((await mesh.fetch('http://echo:9080/')).status).toBe(200);
  for (let calls = 0; calls < 2; calls++) expect((await mesh.fetch('http://echo:9080/bad')).status).toBe(500);
  const load = async (): Promise<LoadReport> => JSON.parse(await (await fetch(`http://${admin}/load`)).text());
  await expect
    .poll(load, { timeout: 60_000, interval: 50 })
    .toMatchObject({ clients: 1, localities: [{ cluster: CLUSTER, successes: 5, errors: 2, inProgress: 0 }] });
});
