import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LoadReport } from '../../../xds-server/src/discovery/load-book.ts';
import { main } from '../../../xds-server/src/main.ts';
import { service } from '../../harness/secure-world.ts';
import { startBackend } from '../grpc-peers/backend.ts';
import { startPeer } from '../grpc-peers/peer.ts';
import { findPeer, PEER_KINDS } from '../grpc-peers/peers.ts';
import { until, useWorlds } from '../identity-live/live.ts';

/** gRPC's clients report what they call to our control plane (LRS). */

const start = useWorlds();
const CLUSTER = 'outbound|9080||echo.shop.svc.cluster.local';

const FAULT = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo, namespace: shop }
spec: { host: echo, trafficPolicy: { connectionPool: { http: { http2MaxRequests: 1 } } } }
---`;

describe.each(PEER_KINDS.map((kind) => [kind, findPeer(kind)] as const))('%s', (_kind, command) => {
  it.skipIf(command === undefined)('reports calls by place, those that failed and those that it dropped', async () => {
    const backend = await startBackend('echo');
    const yaml = service('echo', 'echo', backend.port, 'grpc').replace(', security.istio.io/tlsMode: istio', '');
    const world = await start(yaml + FAULT, { loadReportingIntervalMs: 1_000 });
    world.onClose(() => backend.close());
    const { admin } = await world.server.listen({ admin: '127.0.0.1:0' });
    const out = path.join(world.folder, 'bootstrap');
    await main([
      'bootstrap',
      '--kind',
      'grpc',
      '--xds',
      `127.0.0.1:${world.plainPort}`,
      '--namespace',
      'shop',
      '--out',
      out,
    ]);
    const peer = await startPeer(command ?? [], { bootstrap: JSON.parse(readFileSync(out, 'utf8')) });
    world.onClose(() => peer.stop());
    await peer.open('echo', 'xds:///echo:9080');
    expect(await peer.call('echo', { count: 5, deadlineMs: 30_000 })).toHaveLength(5);
    backend.behave(() => ({ grpcStatus: 13, delayMs: 50 }));
    const answers = await peer.call('echo', { count: 8, parallel: 4, deadlineMs: 30_000 });
    const failed = answers.filter(({ status }) => status === 'INTERNAL').length;
    const load = async (): Promise<LoadReport> => JSON.parse(await (await fetch(`http://${admin}/load`)).text());
    await until(load).toMatchObject({
      clients: 1,
      localities: [{ cluster: CLUSTER, successes: 5, errors: failed, inProgress: 0 }],
    });
    // C-core and Java count a call that is dropped by the circuit breaker without a category.
    if (failed < 8)
      await until(async () => (await load()).dropped).toMatchObject([{ cluster: CLUSTER, calls: 8 - failed }]);
    const metrics = await (await fetch(`http://${admin}/metrics`)).text();
    expect(metrics).toMatch(/inmesh_lrs_requests_total\{cluster="outbound\|9080\|\|echo[^}]*outcome="success"\} 5/);
  });
});
