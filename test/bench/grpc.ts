/**
 * gRPC clients on the mesh beside plain grpc-js, grpc-js-xds, connect-node, and grpc-js through Envoys: calls, what the first one
 * takes, and memory. The server is the same for all of them.
 */
import { type Contender, compare, described, pairwise, type Sample } from './bursts.ts';
import { firstReplies } from './grpc-cold.ts';
import { type Kind, startWays, type Ways } from './grpc-contenders.ts';
import { callMemory } from './grpc-memory.ts';
import { MESSAGES, startGrpcOrigin } from './grpc-origin.ts';
import type { BenchHow, BenchRow } from './run.ts';

const CONCURRENCY = [1, 10, 100];
/** There are many. */
const ROUND_MS = 700;
/** Of unary calls a second over plain grpc-js. */
const BUDGETS: Readonly<Record<number, string>> = { 1: '; budget ≥ 1.15', 10: '; budget ≥ 1.5' };
const KINDS: readonly Kind[] = ['unary', 'client stream', 'server stream', 'both ways'];
const PLAIN = 'grpc-js';

const describedKind = (kind: Kind): string => (kind === 'unary' ? kind : `${kind} of ${MESSAGES}`);

async function callRows({ ways }: Ways, kind: Kind, concurrency: number, how: BenchHow): Promise<BenchRow[]> {
  const contenders: Record<string, Contender> = {};
  for (const [name, { calls, pids }] of ways) {
    const run = calls[kind];
    if (run !== undefined) contenders[name] = { run, pids };
  }
  const samples = await compare(contenders, { ...how, roundMs: Math.min(how.roundMs, ROUND_MS), concurrency });
  const { mesh = [], ...others } = samples;
  return Object.entries(others).flatMap(([name, theirs]) => {
    const what = `${describedKind(kind)}, ${concurrency} at a time, over ${name}`;
    const budget = name === PLAIN && kind === 'unary' ? BUDGETS[concurrency] : undefined;
    return ratios(what, mesh, theirs, budget);
  });
}

/** Of CPU, that of the client and of what is between it and the server. */
function ratios(what: string, mine: readonly Sample[], theirs: readonly Sample[], budget = ''): BenchRow[] {
  const rate = pairwise(mine, theirs, (one, other) => one.perSecond / other.perSecond);
  const cpu = pairwise(
    mine,
    theirs,
    (one, other) => (one.ownUs + one.othersUs) / Math.max(1, other.ownUs + other.othersUs),
  );
  const span = ({ min, max }: typeof rate): string => `${min.toFixed(2)} to ${max.toFixed(2)}`;
  const both = `mesh ${described(mine)}; the other ${described(theirs)}`;
  return [
    { name: `${what}: calls/s`, value: rate.median, unit: 'ratio', note: `${span(rate)}; ${both}${budget}` },
    { name: `${what}: CPU`, value: cpu.median, unit: 'ratio', note: span(cpu) },
  ];
}

export async function bench(how: BenchHow): Promise<BenchRow[]> {
  const origin = await startGrpcOrigin();
  const ways = await startWays(origin.port, how.hasPeers);
  const rows: BenchRow[] = [];
  for (const kind of KINDS) {
    for (const concurrency of how.isQuick ? [10] : CONCURRENCY) {
      rows.push(...(await callRows(ways, kind, concurrency, how)));
    }
  }
  await ways.close();
  rows.push(...(await firstReplies(origin.port, how)), ...(await callMemory(origin.port)));
  await origin.close();
  return rows.map((row, index) => (index === 0 ? { ...row, note: `${row.note}; server ${origin.by}` } : row));
}
