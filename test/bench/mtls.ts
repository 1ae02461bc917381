/**
 * What mutual TLS costs: a small request, 64 KiB either way, a new connection. meshFetch → guarded server with and without it,
 * undici → node:https beside them, and the application behind two Envoys that have it between them.
 */
import { type Dispatcher, Pool } from 'undici';
import { findEnvoy } from '../interop/envoy-hash/envoy.ts';
import { better, type Contender, compare, cpuUs, median, pairwise, ratioRows, type Sample } from './bursts.ts';
import { type EnvoyPair, type PairOptions, startPair } from './envoy-pair.ts';
import { connectionMemory } from './mtls-memory.ts';
import type { BenchHow, BenchRow } from './run.ts';
import { HOSTS, type SecureWorld, startSecureWorld } from './secure-world.ts';
import { warmShare } from './warm.ts';

const BULK = Buffer.alloc(65_536, 'x');
const BUDGET = { rate: 3, cpu: 0.35 };

interface Kind {
  readonly name: string;
  readonly concurrency: readonly number[];
  readonly path: string;
  readonly body?: Buffer;
  /** A connection for each request. */
  readonly isFresh?: boolean;
  readonly budget?: typeof BUDGET;
}

const KINDS: readonly Kind[] = [
  { name: 'small request', concurrency: [1, 10, 100], path: '/reviews/0', budget: BUDGET },
  { name: 'answer of 64 KiB', concurrency: [10], path: '/bulk' },
  { name: 'request of 64 KiB', concurrency: [10], path: '/reviews/0', body: BULK },
  { name: 'new connection', concurrency: [1, 10], path: '/reviews/0', isFresh: true },
];

type Ways = Record<'mesh' | 'meshPlain' | 'raw' | 'rawPlain', Contender> & Partial<Record<'h1' | 'h2', Contender>>;
type Samples = { readonly [Way in keyof Ways]: readonly Sample[] };

/** Pools to one port; undici's own TLS, with no session resumed: each connection verifies its peer. */
function poolTo(port: number, connections: number, world?: SecureWorld): Pool {
  if (world === undefined) return new Pool(`http://127.0.0.1:${port}`, { connections, allowH2: false });
  const { certificate: cert, key, roots: ca } = world.certificates.client;
  // The name is a SPIFFE ID, which is no name of a host; the chain is verified.
  const connect = { cert, key, ca, checkServerIdentity: () => undefined, maxCachedSessions: 0 };
  return new Pool(`https://127.0.0.1:${port}`, { connections, allowH2: false, connect });
}

function byUndici(pool: Pool, { path, body, isFresh = false }: Kind): () => Promise<unknown> {
  const options: Dispatcher.RequestOptions = {
    path,
    method: body === undefined ? 'GET' : 'POST',
    body: body ?? null,
    ...(isFresh && { reset: true }),
  };
  return async () => {
    const { statusCode, body: answer } = await pool.request(options);
    if (statusCode !== 200) throw new Error(`bench mtls: answered ${statusCode} ${await answer.text()}`);
    return answer.arrayBuffer();
  };
}

function byMesh({ mesh }: SecureWorld, host: string, { path, body }: Kind): () => Promise<unknown> {
  const init = body === undefined ? {} : { method: 'POST', body };
  return async () => {
    const response = await mesh.fetch(host + path, init);
    if (response.status !== 200) throw new Error(`${host}: answered ${response.status} ${await response.text()}`);
    return response.arrayBuffer();
  };
}

type Pairs = Readonly<Partial<Record<'h1' | 'h2' | 'freshH1' | 'freshH2', EnvoyPair>>>;

async function measure(world: SecureWorld, pairs: Pairs, kind: Kind, how: BenchHow): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const { pid, ports } = world.origin;
  for (const concurrency of how.isQuick ? [10] : kind.concurrency) {
    const raw = poolTo(ports.tls, concurrency, world);
    const rawPlain = poolTo(ports.plain, concurrency);
    const pools = [raw, rawPlain];
    const through = (pair: EnvoyPair): Contender => {
      const pool = poolTo(pair.port, concurrency);
      pools.push(pool);
      // The caller keeps its connection to its own Envoy.
      return { run: byUndici(pool, { ...kind, isFresh: false }), pids: [pid, ...pair.pids] };
    };
    const [h1, h2] = kind.isFresh ? [pairs.freshH1, pairs.freshH2] : [pairs.h1, pairs.h2];
    const ways: Ways = {
      mesh: { run: byMesh(world, kind.isFresh ? HOSTS.freshSecure : HOSTS.secure, kind), pids: [pid] },
      meshPlain: { run: byMesh(world, kind.isFresh ? HOSTS.freshOpen : HOSTS.open, kind), pids: [pid] },
      raw: { run: byUndici(raw, kind), pids: [pid] },
      rawPlain: { run: byUndici(rawPlain, kind), pids: [pid] },
      ...(h1 && { h1: through(h1) }),
      ...(h2 && { h2: through(h2) }),
    };
    const { rounds, roundMs } = how;
    const samples = (await compare(ways as Record<string, Contender>, { concurrency, rounds, roundMs })) as Samples;
    rows.push(...rowsOf(`${kind.name}, ${concurrency} at a time`, samples, kind.budget));
    for (const pool of pools) await pool.close();
  }
  return rows;
}

function rowsOf(name: string, samples: Samples, budget: Kind['budget']): BenchRow[] {
  const { mesh, meshPlain, raw, rawPlain, h1, h2 } = samples;
  const rows = [
    added(`${name}: mTLS adds to meshFetch → guarded server`, mesh, meshPlain),
    kept(`${name}: req/s of meshFetch → guarded server, mTLS over plain`, mesh, meshPlain),
    added(`${name}: mTLS adds to undici → node:https`, raw, rawPlain),
    kept(`${name}: req/s of undici, node:https with mTLS over node:http`, raw, rawPlain),
  ];
  if (h1 === undefined || h2 === undefined) return rows;
  return [...rows, ...ratioRows({ name, mine: mesh, ...better(h1, h2), ...(budget && { budget }) })];
}

/** CPU of both processes. */
function added(name: string, secured: readonly Sample[], plain: readonly Sample[]): BenchRow {
  const { min, median: value, max } = pairwise(secured, plain, (one, other) => cpuUs(one) - cpuUs(other));
  const ends = (of: readonly Sample[]): string =>
    `${median(of, ({ ownUs }) => ownUs).toFixed(0)} + ${median(of, ({ othersUs }) => othersUs).toFixed(0)}`;
  const note = `${min.toFixed(0)} to ${max.toFixed(0)}; client + server ${ends(secured)}, in plain ${ends(plain)}`;
  return { name, value, unit: 'µs CPU', note };
}

function kept(name: string, secured: readonly Sample[], plain: readonly Sample[]): BenchRow {
  const rate = pairwise(secured, plain, (one, other) => one.perSecond / other.perSecond);
  const of = (samples: readonly Sample[]): string => median(samples, ({ perSecond }) => perSecond).toFixed(0);
  const note = `${rate.min.toFixed(2)} to ${rate.max.toFixed(2)}; ${of(secured)}/s, in plain ${of(plain)}/s`;
  return { name, value: rate.median, unit: 'ratio', note };
}

async function startPairs(binary: string, world: SecureWorld): Promise<Pairs> {
  const common: PairOptions = { binary, port: world.origin.ports.plain, certificates: world.certificates };
  return {
    h1: await startPair(common),
    h2: await startPair({ ...common, http2: true }),
    freshH1: await startPair({ ...common, isFresh: true }),
    freshH2: await startPair({ ...common, isFresh: true, http2: true }),
  };
}

export async function bench(how: BenchHow): Promise<BenchRow[]> {
  const binary = how.hasPeers ? findEnvoy() : undefined;
  if (how.hasPeers && binary === undefined) throw new Error('bench mtls: there is no Envoy binary to be had here');
  const world = await startSecureWorld();
  const pairs = binary === undefined ? {} : await startPairs(binary, world);
  try {
    const rows: BenchRow[] = [];
    for (const kind of KINDS) rows.push(...(await measure(world, pairs, kind, how)));
    return [...rows, ...(await connectionMemory(how)), ...(await warmShare(how))];
  } finally {
    for (const pair of Object.values(pairs)) await pair.stop();
    await world.close();
  }
}
