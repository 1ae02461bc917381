/**
 * What choosing a host costs, by balancer and number of hosts, and what building the tables costs. Builds run several
 * times: least, median, most.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { xxHash64 } from '@inmesh/sdk/internal/balancer/hash/xx-hash-64';
import { systemClock, systemRandom } from '@inmesh/sdk/internal/clock';
import type { HashPolicy } from '@inmesh/sdk/internal/model/action';
import type { Cluster, LoadBalancer } from '@inmesh/sdk/internal/model/cluster';
import type { Hash64 } from '@inmesh/sdk/internal/model/hash';
import type { ClusterConfig } from '@inmesh/sdk/internal/model/target';
import { compileRouteTable } from '@inmesh/sdk/internal/route/compile';
import { decide } from '@inmesh/sdk/internal/route/decide';
import { requestHash } from '@inmesh/sdk/internal/route/request-hash';
import { configuration, forward, path, request, route, virtualHost } from '@inmesh/sdk/internal/route/route.fixture';
import { chooseCluster } from '@inmesh/sdk/internal/route/split';
import type { Upstream } from '@inmesh/sdk/internal/upstream/types';
import { createUpstream } from '@inmesh/sdk/internal/upstream/upstream';
import { type Longest, watchTurns } from './turns.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ns' | 'ms' | 'ratio';
  readonly note?: string;
}

const ROUNDS = 15;
const PICKS_A_ROUND = 50_000;
const KEYS = 1_024;
const BUDGET_NS = { plain: 500, hashed: 700 } as const;

const ring = (entries: number): LoadBalancer => ({
  kind: 'ring-hash',
  minimumRingSize: entries,
  maximumRingSize: 8_388_608,
  hashFunction: 'xx-hash',
  useHostname: false,
});
const MAGLEV: LoadBalancer = { kind: 'maglev', tableSize: 65_537, useHostname: false };
const LEAST_REQUEST: LoadBalancer = { kind: 'least-request', choiceCount: 2 };

interface Kind {
  readonly name: string;
  readonly balancer: LoadBalancer;
  readonly weighted?: true;
  readonly hashed?: true;
}

const KINDS: readonly Kind[] = [
  { name: 'round robin', balancer: { kind: 'round-robin' } },
  { name: 'round robin, weighted', balancer: { kind: 'round-robin' }, weighted: true },
  { name: 'least request', balancer: LEAST_REQUEST },
  { name: 'least request, weighted', balancer: LEAST_REQUEST, weighted: true },
  { name: 'random', balancer: { kind: 'random' } },
  { name: 'ring hash, 1,024 entries', balancer: ring(1_024), weighted: true, hashed: true },
  { name: 'ring hash, 1 Mi entries', balancer: ring(1_048_576), weighted: true, hashed: true },
  { name: 'Maglev', balancer: MAGLEV, weighted: true, hashed: true },
];

function configOf(balancer: LoadBalancer, hosts: number, weighted = false): ClusterConfig {
  const cluster: Cluster = {
    name: 'bench',
    discovery: { kind: 'eds', serviceName: 'bench' },
    connectTimeoutMs: 1_000,
    loadBalancer: balancer,
    panicThreshold: 0,
    localityWeighted: false,
    circuitBreakers: { default: {}, high: {} },
    http2: false,
  };
  const endpoints = Array.from({ length: hosts }, (_, index) => ({
    address: `10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}`,
    port: 8080,
    health: 'healthy' as const,
    weight: weighted ? 1 + (index % 5) : 1,
  }));
  const locality = { region: 'r', zone: 'z', subZone: '' };
  return {
    cluster,
    assignment: {
      clusterName: 'bench',
      overprovisioningFactor: 140,
      localities: [{ locality, priority: 0, weight: 1, endpoints }],
    },
  };
}

async function upstreamOf(config: ClusterConfig): Promise<Upstream> {
  const upstream = createUpstream(config, { clock: systemClock, random: systemRandom, emit: () => {} });
  await upstream.prepare();
  return upstream;
}

const keys = Array.from({ length: KEYS }, (_, index) => `session-${(index * 2_654_435_761) % 4_294_967_296}`);
const hashes: readonly Hash64[] = keys.map((key) => xxHash64(key));

/** A contender runs once a round, in turn with the others, so that a noisy moment meets all of them. */
interface Contender {
  readonly name: string;
  readonly budgetNs: number;
  readonly run: (index: number) => void;
}

function pickOnce(upstream: Upstream, hash: Hash64 | undefined): void {
  const picked = upstream.pick(hash === undefined ? NO_CONTEXT : { hash });
  if (picked.kind === 'failure') throw new Error(picked.reason);
  picked.outcome(OK);
  picked.release();
}

const NO_CONTEXT = {};
const OK = { status: 200 };

async function pickers(): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const hosts of [10, 1_000]) {
    for (const { name, balancer, weighted, hashed } of KINDS) {
      const upstream = await upstreamOf(configOf(balancer, hosts, weighted));
      const label = `${name}, ${hosts.toLocaleString('en')} hosts`;
      if (hashed) {
        const given = (index: number): void => pickOnce(upstream, hashes[index % KEYS]);
        const computed = (index: number): void => pickOnce(upstream, xxHash64(keys[index % KEYS] ?? ''));
        contenders.push({ name: `${label}, hash given`, budgetNs: BUDGET_NS.hashed, run: given });
        contenders.push({ name: `${label}, hash computed`, budgetNs: BUDGET_NS.hashed, run: computed });
      } else contenders.push({ name: label, budgetNs: BUDGET_NS.plain, run: () => pickOnce(upstream, undefined) });
    }
  }
  return contenders;
}

/** Route, split, hash and pick: all that is decided before a connection is asked for. */
async function decisions(): Promise<Contender[]> {
  const policy: HashPolicy = { kind: 'header', name: 'x-session', terminal: false };
  const requests = keys.map((key) =>
    request({ authority: 'shop:80', path: '/service-7/api/v1/items', headers: ['accept', '*/*', 'x-session', key] }),
  );
  const contenders: Contender[] = [];
  for (const [name, balancer] of [
    ['least request', LEAST_REQUEST],
    ['ring hash', ring(1_024)],
    ['Maglev', MAGLEV],
  ] as const) {
    const hashed = balancer !== LEAST_REQUEST;
    const upstream = await upstreamOf(configOf(balancer, 1_000));
    const routes = Array.from({ length: 10 }, (_, index) =>
      route(
        `r${index}`,
        { path: path('prefix', `/service-${index}/`) },
        forward({ a: 80, b: 20 }, { hashPolicies: hashed ? [policy] : [] }),
      ),
    );
    const table = compileRouteTable(configuration([virtualHost('v', ['shop:80', 'shop'], routes)]));
    const run = (index: number): void => {
      const asked = requests[index % KEYS];
      if (asked === undefined) return;
      const decision = decide(table, asked, systemRandom);
      if (decision.kind !== 'route' || decision.action.kind !== 'forward') throw new Error('no route');
      if (chooseCluster(decision.action, systemRandom()) === undefined) throw new Error('no cluster');
      pickOnce(upstream, requestHash(decision.action.hashPolicies, { request: asked, random: systemRandom }).hash);
    };
    contenders.push({
      name: `decide + pick: 10 routes, ${name} over 1,000 hosts`,
      budgetNs: hashed ? BUDGET_NS.hashed : BUDGET_NS.plain,
      run,
    });
  }
  return contenders;
}

function measure(contenders: readonly Contender[]): BenchRow[] {
  const samples = contenders.map((): number[] => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [at, { run }] of contenders.entries()) {
      const start = performance.now();
      for (let index = 0; index < PICKS_A_ROUND; index++) run(index);
      const ns = ((performance.now() - start) * 1e6) / PICKS_A_ROUND;
      if (round >= 0) samples[at]?.push(ns);
    }
  }
  return contenders.map(({ name, budgetNs }, at) => {
    const sorted = (samples[at] ?? []).toSorted((one, other) => one - other);
    const [least, median, most] = [sorted[0], sorted[sorted.length >>> 1], sorted.at(-1)].map((ns) => ns ?? 0);
    const spread = `${least?.toFixed(0)} to ${most?.toFixed(0)}`;
    return { name, value: median ?? 0, unit: 'ns', note: `${spread}; budget ${budgetNs}` };
  });
}

async function buildOnce(config: ClusterConfig): Promise<Longest & { readonly tookMs: number }> {
  // Memory that the build before this one has left behind is not its affair.
  await turn();
  const { clock, stop } = watchTurns();
  const start = performance.now();
  const upstream = createUpstream(config, { clock, random: systemRandom, emit: () => {} });
  await upstream.prepare();
  const tookMs = performance.now() - start;
  upstream.close();
  return { ...(await stop()), tookMs };
}

const percent = (shares: readonly number[]): string =>
  `${((100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length).toFixed(0)} %`;

const BUILDS = 5;
/** The bar: ring hash and Maglev tables are built in slices of at most this. */
const SLICE_BUDGET_MS = 5;

async function builds(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const cases: readonly (readonly [string, LoadBalancer, number])[] = [
    ['ring of 1,024 entries', ring(1_024), 10],
    ['ring of 65,536 entries', ring(65_536), 1_000],
    ['ring of 1,048,576 entries', ring(1_048_576), 1_000],
    ['ring of 8,388,608 entries', ring(8_388_608), 1_000],
    ['ring of 8,388,608 entries', ring(8_388_608), 10_000],
    ['Maglev table of 65,537', MAGLEV, 10],
    ['Maglev table of 65,537', MAGLEV, 1_000],
    ['Maglev table of 5,000,011', { kind: 'maglev', tableSize: 5_000_011, useHostname: false }, 1_000],
  ];
  for (const [name, balancer, hosts] of cases) {
    const runs: Awaited<ReturnType<typeof buildOnce>>[] = [];
    for (let run = 0; run < BUILDS; run++) runs.push(await buildOnce(configOf(balancer, hosts)));
    const spread = (read: (one: (typeof runs)[number]) => number): readonly [number, number, number] => {
      const sorted = runs.map(read).toSorted((one, other) => one - other);
      return [sorted[0] ?? 0, sorted[sorted.length >>> 1] ?? 0, sorted.at(-1) ?? 0];
    };
    const text = (read: (one: (typeof runs)[number]) => number): string =>
      spread(read)
        .map((ms) => ms.toFixed(1))
        .join(' / ');
    const label = `${name}, ${hosts.toLocaleString('en')} hosts`;
    rows.push(
      { name: `build: ${label}`, value: spread((one) => one.tookMs)[1], unit: 'ms', note: text((one) => one.tookMs) },
      {
        name: `longest slice: ${label}`,
        value: spread((one) => one.sliceMs)[1],
        unit: 'ms',
        note: `${text((one) => one.sliceMs)}; budget ${SLICE_BUDGET_MS}; ${percent(runs.map((one) => one.disturbed))} of the turns were disturbed, with them ${text((one) => one.anySliceMs)}; GC ${text((one) => one.gcMs)}; event-loop turn ${text((one) => one.anyTurnMs)}`,
      },
    );
  }
  return rows;
}

export async function bench(): Promise<BenchRow[]> {
  return [...measure(await pickers()), ...measure(await decisions()), ...(await builds())];
}
