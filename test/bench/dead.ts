/** Every upstream dead: how soon a caller has its answer, and how often anybody was dialled for it. */
import net from 'node:net';
import { createMesh, type Mesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes } from '../harness/xds-resources.ts';
import type { BenchRow } from './run.ts';

const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';
const CALLS = 2_000;
const CONCURRENCY = 10;
const BUDGET_MS = 10;

async function deadPorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function startMesh(ports: readonly number[], ejects: boolean): Mesh {
  const ads = createStaticAds();
  const all: RouteInit = {
    name: 'all',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: CLUSTER } } },
  };
  const outlierDetection = { consecutive5xx: 1, maxEjectionPercent: 100, baseEjectionTime: { seconds: 300n } };
  const commonLbConfig = { healthyPanicThreshold: { value: 0 } };
  ads.set('reviews:9080', listener('reviews:9080', CLUSTER));
  ads.set(CLUSTER, routes(CLUSTER, all));
  ads.set(CLUSTER, cluster(CLUSTER, ejects ? { outlierDetection, commonLbConfig } : { commonLbConfig }));
  ads.set(CLUSTER, endpointsAt(CLUSTER, '127.0.0.1', ...ports));
  return createMesh({ transport: ads.transport });
}

async function measure(mesh: Mesh): Promise<number[]> {
  const times: number[] = [];
  let left = CALLS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const start = performance.now();
      const response = await mesh.fetch('http://reviews:9080/');
      await response.text();
      times.push(performance.now() - start);
      // Callers come with sockets of their own: the event loop turns between two calls.
      await new Promise((resolve) => setImmediate(resolve));
      if (response.status !== 503) throw new Error(`a dead upstream answered ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return times.sort((a, b) => a - b);
}

async function rowsOf(what: string, ejects: boolean): Promise<BenchRow[]> {
  const mesh = startMesh(await deadPorts(10), ejects);
  await (await mesh.fetch('http://reviews:9080/')).text();
  let dials = 0;
  const off = mesh.on((event) => {
    if (event.kind === 'call') dials += event.story.attempts.length;
  });
  const times = await measure(mesh);
  off();
  await mesh.close();
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
  const note = `median ${at(0.5).toFixed(2)} ms; ${(dials / CALLS).toFixed(2)} attempts a call; ${CONCURRENCY} at a time`;
  return [{ name: `${what}: p99`, value: at(0.99), unit: 'ms', note: `${note}; budget < ${BUDGET_MS} ms` }];
}

export async function bench(): Promise<BenchRow[]> {
  return [
    ...(await rowsOf('ten closed ports, nobody left out', false)),
    ...(await rowsOf('the same with outlier detection: all are left out', true)),
  ];
}
