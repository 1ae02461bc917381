/** The call path (decide, pick, connection, undici's client) beside undici's own pools: requests a second, CPU, latency. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CallHandler, createCallRuntime, startCall } from '@inmesh/sdk/internal/call/call';
import { cluster, targetConfig } from '@inmesh/sdk/internal/call/call.fixture';
import { createLiveTargets } from '@inmesh/sdk/internal/call/live-target';
import { systemClock, systemRandom } from '@inmesh/sdk/internal/clock';
import { createConnections } from '@inmesh/sdk/internal/connection/connections';
import type { RetryPolicy } from '@inmesh/sdk/internal/model/action';
import type { Cluster } from '@inmesh/sdk/internal/model/cluster';
import { forward, path, request, route } from '@inmesh/sdk/internal/route/route.fixture';
import { type Dispatcher, Pool } from 'undici';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: 'us' | 'ratio' | 'req/s';
  readonly note?: string;
}

const ROUNDS = 7;
const CASES = [
  { concurrency: 1, requests: 4_000 },
  { concurrency: 10, requests: 12_000 },
  { concurrency: 100, requests: 12_000 },
] as const;
const ENDPOINTS = 10;
const BUDGET = { ratio: 0.85, addedUs: 10 } as const;
const HEADERS = ['accept', 'application/json', 'user-agent', 'bench', 'x-request-id', '0123456789abcdef'];

/** One request; `done` when its body has ended. */
type Send = (done: () => void) => void;

interface Contender {
  readonly send: Send;
  close(): Promise<void>;
}

interface Sample {
  readonly perSecond: number;
  readonly cpuUs: number;
}

class RawHandler implements Dispatcher.DispatchHandler {
  readonly #done: () => void;
  bytes = 0;
  constructor(done: () => void) {
    this.#done = done;
  }
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(_: unknown, chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
  onResponseEnd(): void {
    this.#done();
  }
  onResponseError(_: unknown, error: Error): void {
    throw error;
  }
}

class MeshHandler implements CallHandler {
  readonly #done: () => void;
  bytes = 0;
  constructor(done: () => void) {
    this.#done = done;
  }
  onHeaders(status: number): void {
    if (status !== 200) throw new Error(`status ${status}`);
  }
  onData(chunk: Uint8Array): boolean {
    this.bytes += chunk.length;
    return true;
  }
  onEnd(): void {
    this.#done();
  }
  onError(error: unknown): void {
    throw error;
  }
}

/** One pool for each port, chosen at random: spreading requests over more sockets has a price that is not the mesh's. */
function rawUndici(ports: readonly number[]): Contender {
  const pools = ports.map((port) => new Pool(`http://127.0.0.1:${port}`, { pipelining: 1, allowH2: false }));
  const headers = ['host', 'reviews:9080', ...HEADERS];
  return {
    send(done) {
      const pool = pools[systemRandom() % pools.length];
      pool?.dispatch({ method: 'GET', path: '/reviews/7', headers }, new RawHandler(done));
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}

const RETRY: RetryPolicy = {
  on: ['5xx', 'reset', 'connect-failure', 'refused-stream'],
  retriableStatusCodes: [],
  numRetries: 2,
  perTryTimeoutMs: 5_000,
  baseIntervalMs: 25,
  maxIntervalMs: 250,
  previousHosts: true,
  hostSelectionAttempts: 5,
};

const LIMIT = { maxConnections: 1_024, maxPendingRequests: 1_024, maxRequests: 4_096 };
const RATES = { minimumHosts: 5, requestVolume: 100, enforcing: 100, enforcingLocalOrigin: 100 };

const LIMITS: Partial<Cluster> = {
  circuitBreakers: { default: LIMIT, high: {} },
  outlierDetection: {
    intervalMs: 10_000,
    baseEjectionTimeMs: 30_000,
    maxEjectionTimeMs: 300_000,
    maxEjectionPercent: 10,
    consecutive5xx: 5,
    enforcingConsecutive5xx: 100,
    consecutiveGatewayFailure: 5,
    enforcingConsecutiveGatewayFailure: 100,
    consecutiveLocalOriginFailure: 5,
    enforcingConsecutiveLocalOriginFailure: 100,
    splitExternalLocalOriginErrors: false,
    successRate: { ...RATES, stdevFactor: 1_900 },
    failurePercentage: { ...RATES, threshold: 85 },
    maxEjectionTimeJitterMs: 0,
    unejectOnHealthCheck: true,
    alwaysEjectOneHost: false,
  },
};

/**
 * Ten routes of which the last one matches, a split, ten endpoints, timeouts of call and attempt, retries, limits, outlier
 * detection of every kind, and a listener for the call event.
 */
async function mesh(ports: readonly number[]): Promise<Contender> {
  const emit = (): void => {};
  const connections = createConnections({ clock: systemClock });
  const runtime = createCallRuntime({ clock: systemClock, random: systemRandom, connections, emit });
  const to = forward({ a: 90, b: 10 }, { timeoutMs: 15_000, retry: RETRY });
  const routes = Array.from({ length: 9 }, (_, i) => route(`r${i}`, { path: path('prefix', `/other-${i}`) }, to));
  const loadBalancer = { kind: 'least-request', choiceCount: 2 } as const;
  const target = await createLiveTargets({ clock: systemClock, random: systemRandom, emit }).prepare(
    targetConfig([...routes, route('all', {}, to)], {
      a: cluster('a', ports.slice(0, 9), { loadBalancer, ...LIMITS }),
      b: cluster('b', ports.slice(9), { loadBalancer, ...LIMITS }),
    }),
  );
  const options = { localReply: 'resolve', originalDestination: { host: 'reviews', port: 9080 } } as const;
  const body = { kind: 'none' } as const;
  return {
    send(done) {
      const asked = request({ path: '/reviews/7', headers: HEADERS });
      startCall(runtime, target, asked, body, new MeshHandler(done), options);
    },
    close: () => connections.closeAll(0),
  };
}

function run(send: Send, concurrency: number, requests: number): Promise<Sample> {
  return new Promise((resolve) => {
    let started = 0;
    let ended = 0;
    const cpu = process.cpuUsage();
    const from = performance.now();
    const next = (): void => {
      if (started < requests) {
        started++;
        send(done);
      }
    };
    const done = (): void => {
      if (++ended < requests) {
        next();
        return;
      }
      const seconds = (performance.now() - from) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      resolve({ perSecond: requests / seconds, cpuUs: (user + system) / requests });
    };
    for (let i = 0; i < concurrency; i++) next();
  });
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;

const span = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}`;

async function compare(
  ports: readonly number[],
  { concurrency, requests }: (typeof CASES)[number],
): Promise<BenchRow[]> {
  const raw = rawUndici(ports);
  const ours = await mesh(ports);
  const samples: { raw: Sample; ours: Sample }[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const first = round % 2 === 0 ? raw : ours;
    const one = await run(first.send, concurrency, requests);
    const two = await run((first === raw ? ours : raw).send, concurrency, requests);
    // The round before the first one warms up.
    if (round >= 0) samples.push(first === raw ? { raw: one, ours: two } : { raw: two, ours: one });
  }
  await Promise.all([raw.close(), ours.close()]);
  return rows(concurrency, samples);
}

function rows(concurrency: number, samples: readonly { raw: Sample; ours: Sample }[]): BenchRow[] {
  const ratios = samples.map(({ raw, ours }) => ours.perSecond / raw.perSecond);
  const cpu = samples.map(({ raw, ours }) => ours.cpuUs / raw.cpuUs);
  const of = (pick: (sample: { raw: Sample; ours: Sample }) => number): number => median(samples.map(pick));
  const name = `concurrency ${concurrency}`;
  const result: BenchRow[] = [
    {
      name: `${name}: undici dispatch`,
      value: of(({ raw }) => raw.perSecond),
      unit: 'req/s',
      note: `a pool for each of the same ${ENDPOINTS} endpoints`,
    },
    { name: `${name}: mesh call`, value: of(({ ours }) => ours.perSecond), unit: 'req/s' },
    {
      name: `${name}: requests a second, mesh to undici`,
      value: median(ratios),
      unit: 'ratio',
      note: `${span(ratios)}${concurrency === 1 ? '' : `; budget ≥ ${BUDGET.ratio}`}`,
    },
    { name: `${name}: CPU a request, undici dispatch`, value: of(({ raw }) => raw.cpuUs), unit: 'us' },
    { name: `${name}: CPU a request, mesh call`, value: of(({ ours }) => ours.cpuUs), unit: 'us' },
    { name: `${name}: CPU a request, mesh to undici`, value: median(cpu), unit: 'ratio', note: span(cpu) },
  ];
  if (concurrency > 1) return result;
  const added = samples.map(({ raw, ours }) => 1e6 / ours.perSecond - 1e6 / raw.perSecond);
  const note = `${span(added)}; budget ≤ ${BUDGET.addedUs}`;
  return [...result, { name: `${name}: added to a request`, value: median(added), unit: 'us', note }];
}

async function startOrigin(): Promise<{ child: ChildProcess; ports: number[] }> {
  const file = fileURLToPath(new URL('./dispatch-origin.ts', import.meta.url));
  const child = fork(file, [String(ENDPOINTS)]);
  const [ports] = (await once(child, 'message')) as [number[]];
  return { child, ports };
}

export async function bench(): Promise<BenchRow[]> {
  const { child, ports } = await startOrigin();
  try {
    const all: BenchRow[] = [];
    for (const each of CASES) all.push(...(await compare(ports, each)));
    return all;
  } finally {
    child.disconnect();
  }
}
