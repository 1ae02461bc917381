import type { BenchRow } from './run.ts';

/** One way of doing the same thing. */
export interface Contender {
  readonly name: string;
  run(): Promise<unknown>;
}

export interface Measured {
  readonly name: string;
  /** Of the client process, per call, in microseconds: one figure a round. */
  readonly cpuUs: readonly number[];
  readonly perSecond: readonly number[];
}

export interface Rounds {
  readonly concurrency: number;
  readonly rounds: number;
  readonly roundMs: number;
}

/** Runs contenders in turn, again and again: what disturbs the machine disturbs all of them. */
export async function interleave(contenders: readonly Contender[], how: Rounds): Promise<readonly Measured[]> {
  const figures = contenders.map(({ name }) => ({ name, cpuUs: [] as number[], perSecond: [] as number[] }));
  for (const { run } of contenders) await burst(run, { ...how, roundMs: how.roundMs / 2 });
  for (let round = 0; round < how.rounds; round++) {
    for (const [index, { run }] of contenders.entries()) {
      const { cpuUs, perSecond } = await burst(run, how);
      figures[index]?.cpuUs.push(cpuUs);
      figures[index]?.perSecond.push(perSecond);
    }
  }
  return figures;
}

async function burst(run: Contender['run'], { concurrency, roundMs }: Rounds) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let calls = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < roundMs) {
      await run();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: (user + system) / calls, perSecond: (1_000 * calls) / (performance.now() - start) };
}

export function spread(values: readonly number[]): {
  readonly min: number;
  readonly median: number;
  readonly max: number;
} {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

/** CPU and rate of the one over the other's, round by round; `rate` is its unit. */
export function comparison(what: string, [mine, other]: readonly Measured[], rate: string): BenchRow[] {
  if (mine === undefined || other === undefined) return [];
  const paired = (pick: (measured: Measured) => readonly number[]): number[] =>
    pick(mine).map((value, round) => value / (pick(other)[round] ?? Number.NaN));
  const described = (values: readonly number[]): string => {
    const { min, max } = spread(values);
    return `${min.toFixed(2)} to ${max.toFixed(2)}`;
  };
  const cpu = paired(({ cpuUs }) => cpuUs);
  const perSecond = paired((measured) => measured.perSecond);
  const each = (measured: Measured): string =>
    `${measured.name} ${spread(measured.cpuUs).median.toFixed(1)} µs, ${spread(measured.perSecond).median.toFixed(0)}/s`;
  return [
    {
      name: `${what}: CPU of ${mine.name} over ${other.name}`,
      value: spread(cpu).median,
      unit: 'ratio',
      note: `${described(cpu)}; ${each(mine)}; ${each(other)}`,
    },
    {
      name: `${what}: ${rate} of ${mine.name} over ${other.name}`,
      value: spread(perSecond).median,
      unit: 'ratio',
      note: described(perSecond),
    },
  ];
}
