import { readFileSync } from 'node:fs';
import process from 'node:process';
import { spread } from './interleave.ts';
import type { BenchRow } from './run.ts';

/** One way of doing the same thing over several processes. */
export interface Contender {
  readonly run: () => Promise<unknown>;
  /** Processes whose CPU time counts, beside this one. */
  readonly pids: readonly number[];
}

export interface Sample {
  readonly perSecond: number;
  /** CPU a call: of this process, and of the others. */
  readonly ownUs: number;
  readonly othersUs: number;
}

export interface Load {
  readonly concurrency: number;
  readonly rounds: number;
  readonly roundMs: number;
}

/** Linux tells CPU time of other processes in these. */
const TICK_US = 10_000;

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
  return { perSecond, ownUs: (user + system) / calls, othersUs: others / calls };
}

/** Runs contenders in turn, again and again: what disturbs the machine disturbs all of them. A round more warms up. */
export async function compare<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  { concurrency, rounds, roundMs }: Load,
): Promise<Readonly<Record<Name, readonly Sample[]>>> {
  const entries = Object.entries<Contender>(contenders);
  const samples = Object.fromEntries(entries.map(([name]) => [name, [] as Sample[]]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, contender] of entries) {
      const sample = await burst(contender, concurrency, roundMs);
      if (round >= 0) samples[name]?.push(sample);
    }
  }
  return samples as Record<Name, Sample[]>;
}

export const cpuUs = ({ ownUs, othersUs }: Sample): number => ownUs + othersUs;

/** Round by round, so that both have met the same machine. */
export const pairwise = (
  mine: readonly Sample[],
  theirs: readonly Sample[],
  of: (mine: Sample, theirs: Sample) => number,
) => spread(mine.map((sample, round) => of(sample, theirs[round] ?? sample)));

export const median = (samples: readonly Sample[], of: (sample: Sample) => number): number =>
  spread(samples.map(of)).median;

export const described = (samples: readonly Sample[]): string =>
  `${median(samples, ({ perSecond }) => perSecond).toFixed(0)}/s, ${median(samples, cpuUs).toFixed(0)} µs`;

/** Of Envoys that speak HTTP/1.1 with each other and of those that speak HTTP/2. */
export function better(h1: readonly Sample[], h2: readonly Sample[]) {
  const rate = (way: readonly Sample[]): number => median(way, ({ perSecond }) => perSecond);
  const [theirs, how] = rate(h2) > rate(h1) ? [h2, 'HTTP/2'] : [h1, 'HTTP/1.1'];
  return { theirs, over: `two Envoys with mTLS (${how} between them, the better)` };
}

export interface Ratio {
  /** What is compared, and with what: `10 at a time`, `two Envoys`. */
  readonly name: string;
  readonly over: string;
  readonly mine: readonly Sample[];
  readonly theirs: readonly Sample[];
  readonly budget?: { readonly rate: number; readonly cpu: number };
}

/** Requests a second and CPU of all processes, over another way's. */
export function ratioRows({ name, over, mine, theirs, budget }: Ratio): BenchRow[] {
  const rate = pairwise(mine, theirs, (one, other) => one.perSecond / other.perSecond);
  const cpu = pairwise(mine, theirs, (one, other) => cpuUs(one) / cpuUs(other));
  const span = ({ min, max }: typeof rate): string => `${min.toFixed(2)} to ${max.toFixed(2)}`;
  const both = `mesh ${described(mine)}; the other ${described(theirs)}`;
  return [
    {
      name: `${name}: req/s over ${over}`,
      value: rate.median,
      unit: 'ratio',
      note: `${span(rate)}; ${both}${budget ? `; budget ≥ ${budget.rate}` : ''}`,
    },
    {
      name: `${name}: CPU of all processes over ${over}`,
      value: cpu.median,
      unit: 'ratio',
      note: `${span(cpu)}${budget ? `; budget ≤ ${budget.cpu}` : ''}`,
    },
  ];
}
