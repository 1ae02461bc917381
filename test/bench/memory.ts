/** What holding a mesh costs: memory by services and endpoints, the longest stall of a large update, the CPU of idling. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { spread } from './interleave.ts';
import type { Report } from './memory-client.ts';
import type { BenchRow } from './run.ts';
import type { Longest } from './turns.ts';

const CLIENT = fileURLToPath(new URL('memory-client.ts', import.meta.url));
const RUNS = 3;
const UPDATES = 12;
const IDLE_MS = 15_000;
const STALL_BUDGET_MS = 20;
const IDLE_BUDGET_PERCENT = 0.2;

interface Held {
  readonly services: number;
  readonly endpoints: number;
  readonly updates?: number;
  readonly idleMs?: number;
  readonly change?: string;
}

async function run({ services, endpoints, updates = 0, idleMs = 0, change = 'weights' }: Held): Promise<Report> {
  const args = [
    '--expose-gc',
    '--conditions=source',
    CLIENT,
    ...[services, endpoints, updates, idleMs, change].map(String),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(printed) as Report;
}

async function runs(held: Held, count = RUNS): Promise<readonly Report[]> {
  const reports: Report[] = [];
  for (let index = 0; index < count; index++) reports.push(await run(held));
  return reports;
}

const ofThree = (values: readonly number[]): string => {
  const { min, median, max } = spread(values);
  return [min, median, max].map((value) => value.toFixed(1)).join(' / ');
};

async function memory(services: number, budgetMb: number): Promise<readonly BenchRow[]> {
  const reports = await runs({ services, endpoints: 10 });
  const heap = reports.map((report) => report.heapMb);
  const called = reports.map((report) => report.calledMb);
  const name = `${services.toLocaleString('en')} services of 10 endpoints held`;
  return [
    {
      name: `${name}: memory after a collection`,
      value: spread(heap).median,
      unit: 'MB',
      note: `${ofThree(heap)}; budget ${budgetMb}; resident memory ${ofThree(reports.map((report) => report.rssMb))}`,
    },
    {
      name: `${name}, each called once`,
      value: spread(called).median,
      unit: 'MB',
      note: `${ofThree(called)}; route tables, hosts and their tables are made at the first call`,
    },
  ];
}

function stall(name: string, all: readonly Longest[]): BenchRow {
  const turns = all.map((one) => one.turnMs);
  const any = ofThree(all.map((one) => one.anyTurnMs));
  const gc = ofThree(all.map((one) => one.gcMs));
  const disturbed = (100 * all.reduce((sum, one) => sum + one.disturbed, 0)) / all.length;
  return {
    name,
    value: spread(turns).median,
    unit: 'ms',
    note: `${ofThree(turns)}; budget ${STALL_BUDGET_MS}; ${disturbed.toFixed(0)} % of the turns were disturbed, with them ${any}; GC ${gc}`,
  };
}

async function stalls(what: string, change: string, endpoints: number): Promise<readonly BenchRow[]> {
  const reports = await runs({ services: 1, endpoints, updates: UPDATES, change });
  return [
    stall(
      `longest turn of ${what}`,
      reports.flatMap((report) => report.updates.slice(1)),
    ),
    stall(
      'the same, the first of a process',
      reports.flatMap((report) => report.updates.slice(0, 1)),
    ),
  ];
}

async function idle(): Promise<BenchRow> {
  const [report] = await runs({ services: 100, endpoints: 10, idleMs: IDLE_MS }, 1);
  return {
    name: 'CPU while idle, 100 services of 10 endpoints held',
    value: report?.idleCpuPercent ?? 0,
    unit: '%',
    note: `budget ${IDLE_BUDGET_PERCENT}`,
  };
}

export async function bench(): Promise<BenchRow[]> {
  return [
    ...(await memory(1_000, 15)),
    ...(await memory(10_000, 60)),
    ...(await stalls('an update of 10,000 endpoints', 'weights', 10_000)),
    ...(await stalls('10,000 endpoints in reverse order', 'order', 10_000)),
    ...(await stalls('10,000 routes in one message', 'routes', 10)),
    ...(await stalls('routes to 1,000 other clusters', 'clusters', 10)),
    await idle(),
  ];
}
