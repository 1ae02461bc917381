/**
 * A call with every policy on, inside the process, beside undici's call without any, and beside the same call through two
 * Envoys, as sidecars stand: app → Envoy → Envoy → app. Each by undici's `request`, plaintext on every hop.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import process from 'node:process';
import { Pool } from 'undici';
import { RoutingPriority } from '../../sdk/gen/core.js';
import { createMesh, type Mesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes } from '../harness/xds-resources.ts';
import { findEnvoy, type RunningEnvoy, startEnvoy } from '../interop/envoy-hash/envoy.ts';
import { spread } from './interleave.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { BenchRow } from './run.ts';

const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';
const CONCURRENCY = [1, 10, 100];
const ROUNDS = 5;
const ROUND_MS = 1_500;
const BUDGET = { rate: 3, cpu: 0.35 };
/** Linux tells CPU time of other processes in these. */
const TICK_US = 10_000;

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

const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

/** One sidecar: listens, routes with the same policies, sends on. */
function sidecar(port: number, to: number, admin: number): object {
  const route = {
    cluster: 'next',
    timeout: '15s',
    retry_policy: { retry_on: '5xx,reset,connect-failure,refused-stream', num_retries: 2, per_try_timeout: '5s' },
  };
  const virtualHost = {
    name: 'all',
    domains: ['*'],
    routes: [
      ...Array.from({ length: 9 }, (_, index) => ({ match: { prefix: `/other/${index}` }, route })),
      { match: { prefix: '/' }, route, request_headers_to_add: [{ header: { key: 'x-mesh', value: 'bench' } }] },
    ],
  };
  const type = 'type.googleapis.com/envoy.extensions.filters';
  const manager = {
    '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    route_config: { name: 'bench', virtual_hosts: [virtualHost] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${type}.http.router.v3.Router` } }],
  };
  const endpoint = { endpoint: { address: address(to) } };
  return {
    admin: { address: address(admin) },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(port),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'next',
          type: 'STATIC',
          lb_policy: 'LEAST_REQUEST',
          outlier_detection: { consecutive_5xx: 5 },
          circuit_breakers: { thresholds: [{ max_connections: 1024, max_pending_requests: 1024, max_requests: 4096 }] },
          load_assignment: { cluster_name: 'next', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Contender {
  readonly run: () => Promise<unknown>;
  /** Processes whose CPU time counts, beside this one. */
  readonly pids: readonly number[];
}

interface Sample {
  readonly perSecond: number;
  readonly cpuUs: number;
}

/** User and system time of a process so far, in microseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

async function burst({ run, pids }: Contender, concurrency: number, ms: number): Promise<Sample> {
  const before = pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const own = process.cpuUsage();
  const start = performance.now();
  let calls = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < ms) {
      await run();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const perSecond = (1_000 * calls) / (performance.now() - start);
  const { user, system } = process.cpuUsage(own);
  const others = pids.reduce((sum, pid) => sum + cpuOf(pid), 0) - before;
  return { perSecond, cpuUs: (user + system + others) / calls };
}

/** Ratios of the mesh to another way, round by round. */
function ratios(mine: readonly Sample[], theirs: readonly Sample[]) {
  const of = (pick: (sample: Sample) => number) =>
    spread(mine.map((sample, round) => pick(sample) / pick(theirs[round] ?? sample)));
  return { rate: of(({ perSecond }) => perSecond), cpu: of(({ cpuUs }) => cpuUs) };
}

const described = (samples: readonly Sample[]): string =>
  `${spread(samples.map(({ perSecond }) => perSecond)).median.toFixed(0)}/s, ${spread(samples.map(({ cpuUs }) => cpuUs)).median.toFixed(0)} µs`;

interface Contenders {
  readonly mesh: Contender;
  readonly undici: Contender;
  readonly envoys: Contender;
}

async function compare({ mesh, undici, envoys }: Contenders, concurrency: number): Promise<BenchRow[]> {
  const samples: { readonly [Name in keyof Contenders]: Sample[] } = { mesh: [], undici: [], envoys: [] };
  for (let round = -1; round < ROUNDS; round++) {
    const one = await burst(mesh, concurrency, ROUND_MS);
    const two = await burst(undici, concurrency, ROUND_MS);
    const three = await burst(envoys, concurrency, ROUND_MS);
    // The round before the first one warms up.
    if (round < 0) continue;
    samples.mesh.push(one);
    samples.undici.push(two);
    samples.envoys.push(three);
  }
  return [
    ...rowsOf(concurrency, 'two Envoys', samples.mesh, samples.envoys, BUDGET),
    ...rowsOf(concurrency, 'undici straight to the origin', samples.mesh, samples.undici),
  ];
}

function rowsOf(
  concurrency: number,
  what: string,
  mine: readonly Sample[],
  theirs: readonly Sample[],
  budget?: typeof BUDGET,
): BenchRow[] {
  const { rate, cpu } = ratios(mine, theirs);
  const name = `${concurrency} at a time`;
  const note = `${rate.min.toFixed(2)} to ${rate.max.toFixed(2)}; mesh ${described(mine)}; the other ${described(theirs)}`;
  return [
    {
      name: `${name}: req/s over ${what}`,
      value: rate.median,
      unit: 'ratio',
      note: budget ? `${note}; budget ≥ ${budget.rate}` : note,
    },
    {
      name: `${name}: CPU of all processes over ${what}`,
      value: cpu.median,
      unit: 'ratio',
      note: `${cpu.min.toFixed(2)} to ${cpu.max.toFixed(2)}${budget ? `; budget ≤ ${budget.cpu}` : ''}`,
    },
  ];
}

async function against(binary: string, origin: Origin): Promise<BenchRow[]> {
  const [first = 0, second = 0, ...admins] = await Promise.all(Array.from({ length: 4 }, freePort));
  const envoys: RunningEnvoy[] = [
    await startEnvoy(binary, sidecar(second, origin.port, admins[0] ?? 0), admins[0] ?? 0),
    await startEnvoy(binary, sidecar(first, second, admins[1] ?? 0), admins[1] ?? 0),
  ];
  const mesh = startMesh(origin.port);
  const rows: BenchRow[] = [];
  for (const concurrency of CONCURRENCY) {
    const pool = new Pool(`http://127.0.0.1:${first}`, { connections: concurrency });
    const url = 'http://reviews:9080/reviews/0';
    const ask = (to: Pool) => async () => (await to.request({ path: '/reviews/0', method: 'GET' })).body.json();
    const direct = new Pool(`http://127.0.0.1:${origin.port}`, { connections: concurrency });
    const contenders = {
      mesh: { run: async () => (await mesh.request(url)).body.json(), pids: [origin.pid] },
      undici: { run: ask(direct), pids: [origin.pid] },
      envoys: { run: ask(pool), pids: [origin.pid, ...envoys.map(({ pid }) => pid)] },
    };
    rows.push(...(await compare(contenders, concurrency)));
    await direct.close();
    await pool.close();
  }
  await mesh.close();
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  return rows;
}

export async function bench(): Promise<BenchRow[]> {
  const binary = findEnvoy();
  if (binary === undefined) throw new Error('bench envoy: there is no Envoy binary to be had here');
  const origin = await startOrigin();
  try {
    return await against(binary, origin);
  } finally {
    await origin.close();
  }
}
