/**
 * A call with every policy on, inside the process, beside undici's call without any, and beside the same call through two
 * Envoys, as sidecars stand: app → Envoy → Envoy → app. Each by undici's `request`: in clear, and with mutual TLS between the two.
 */
import { Pool } from 'undici';
import { RoutingPriority } from '../../sdk/gen/core.js';
import { createMesh, type Mesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes } from '../harness/xds-resources.ts';
import { findEnvoy } from '../interop/envoy-hash/envoy.ts';
import { better, compare, ratioRows } from './bursts.ts';
import { startPair } from './envoy-pair.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { BenchHow, BenchRow } from './run.ts';
import { HOSTS, startSecureWorld } from './secure-world.ts';

const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';
const URL_ASKED = 'http://reviews:9080/reviews/0';
const CONCURRENCY = [1, 10, 100];
const BUDGET = { rate: 3, cpu: 0.35 };
const seconds = (value: number) => ({ seconds: BigInt(value), nanos: 0 });

/** Matched, timed, retried, hashed to nothing, ejected and limited: each policy is there, none has anything to do. */
function busyRoute(prefix: string): RouteInit {
  return {
    name: prefix,
    match: { pathSpecifier: { case: 'prefix', value: prefix } },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: CLUSTER },
        timeout: seconds(15),
        retryPolicy: { retryOn: '5xx,reset,connect-failure,refused-stream', numRetries: 2, perTryTimeout: seconds(5) },
      },
    },
    requestHeadersToAdd: [{ header: { key: 'x-mesh', value: 'bench' } }],
  };
}

function startMesh(port: number): Mesh {
  const ads = createStaticAds();
  const others = Array.from({ length: 9 }, (_, index) => busyRoute(`/other/${index}`));
  ads.set('reviews:9080', listener('reviews:9080', CLUSTER));
  ads.set(CLUSTER, routes(CLUSTER, ...others, busyRoute('/')));
  ads.set(
    CLUSTER,
    cluster(CLUSTER, {
      outlierDetection: { consecutive5xx: 5, interval: seconds(10) },
      circuitBreakers: {
        thresholds: [
          { priority: RoutingPriority.DEFAULT, maxConnections: 1_024, maxPendingRequests: 1_024, maxRequests: 4_096 },
        ],
      },
    }),
  );
  ads.set(CLUSTER, endpointsAt(CLUSTER, '127.0.0.1', port));
  return createMesh({ transport: ads.transport });
}

interface Size extends Pick<BenchHow, 'rounds' | 'roundMs'> {
  readonly concurrency: readonly number[];
}

const ask = (to: Pool) => async () => (await to.request({ path: '/reviews/0', method: 'GET' })).body.json();

/** In clear on every hop. */
async function inPlain(binary: string, origin: Origin, { concurrency, ...size }: Size): Promise<BenchRow[]> {
  const envoys = await startPair({ binary, port: origin.port });
  const mesh = startMesh(origin.port);
  const rows: BenchRow[] = [];
  for (const count of concurrency) {
    const pool = new Pool(`http://127.0.0.1:${envoys.port}`, { connections: count });
    const direct = new Pool(`http://127.0.0.1:${origin.port}`, { connections: count });
    const contenders = {
      mesh: { run: async () => (await mesh.request(URL_ASKED)).body.json(), pids: [origin.pid] },
      undici: { run: ask(direct), pids: [origin.pid] },
      envoys: { run: ask(pool), pids: [origin.pid, ...envoys.pids] },
    };
    const samples = await compare(contenders, { ...size, concurrency: count });
    const name = `${count} at a time`;
    rows.push(
      ...ratioRows({ name, over: 'two Envoys', mine: samples.mesh, theirs: samples.envoys, budget: BUDGET }),
      ...ratioRows({ name, over: 'undici straight to the origin', mine: samples.mesh, theirs: samples.undici }),
    );
    await direct.close();
    await pool.close();
  }
  await mesh.close();
  await envoys.stop();
  return rows;
}

/** With mutual TLS: mesh → guarded server, and app → Envoy → Envoy → app, the better of both protocols between the Envoys. */
async function withMtls(binary: string, { concurrency, ...size }: Size): Promise<BenchRow[]> {
  const world = await startSecureWorld();
  const { pid, ports } = world.origin;
  const common = { binary, port: ports.plain, certificates: world.certificates };
  const pairs = { h1: await startPair(common), h2: await startPair({ ...common, http2: true }) };
  const rows: BenchRow[] = [];
  for (const count of concurrency) {
    const one = new Pool(`http://127.0.0.1:${pairs.h1.port}`, { connections: count });
    const two = new Pool(`http://127.0.0.1:${pairs.h2.port}`, { connections: count });
    const contenders = {
      mesh: { run: async () => (await world.mesh.request(`${HOSTS.busy}/reviews/0`)).body.json(), pids: [pid] },
      h1: { run: ask(one), pids: [pid, ...pairs.h1.pids] },
      h2: { run: ask(two), pids: [pid, ...pairs.h2.pids] },
    };
    const { mesh, h1, h2 } = await compare(contenders, { ...size, concurrency: count });
    const { theirs, over } = better(h1, h2);
    rows.push(...ratioRows({ name: `mTLS, ${count} at a time`, over, mine: mesh, theirs, budget: BUDGET }));
    await one.close();
    await two.close();
  }
  await Promise.all([pairs.h1.stop(), pairs.h2.stop()]);
  await world.close();
  return rows;
}

export async function bench({ isQuick, rounds, roundMs }: BenchHow): Promise<BenchRow[]> {
  const binary = findEnvoy();
  if (binary === undefined) throw new Error('bench envoy: there is no Envoy binary to be had here');
  const size = { rounds, roundMs, concurrency: isQuick ? [10] : CONCURRENCY };
  const origin = await startOrigin();
  try {
    return [...(await inPlain(binary, origin, size)), ...(await withMtls(binary, size))];
  } finally {
    await origin.close();
  }
}
