/** What a routing decision costs, by the number of routes and by what they ask for. */
import { compileRouteTable } from '@inmesh/sdk/internal/route/compile';
import { decide } from '@inmesh/sdk/internal/route/decide';
import {
  configuration,
  forward,
  header,
  path,
  request,
  route,
  text,
  virtualHost,
} from '@inmesh/sdk/internal/route/route.fixture';
import { chooseCluster } from '@inmesh/sdk/internal/route/split';
import type { RouteTable } from '@inmesh/sdk/internal/route/table';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ns' | 'ratio';
  readonly note?: string;
}

const ROUNDS = 21;
const CALLS_A_ROUND = 100_000;
const WARM_UP = 200_000;
const SIZES = [10, 100, 1_000] as const;

interface Contender {
  readonly name: string;
  run(calls: number): number;
}

/** Distinct prefix and exact paths in turn, each with a header rule before it: the shape of a large VirtualService. */
function pathTable(size: number): RouteTable {
  const routes = Array.from({ length: size }, (_, i) => {
    const kind = i % 2 === 0 ? 'prefix' : 'exact';
    return route(`r${i}`, { path: path(kind, `/service-${i}/api/v1/items`) }, forward({ a: 80, b: 20 }));
  });
  return compileRouteTable(configuration([virtualHost('v', ['shop:80', 'shop'], routes)]));
}

function headerTable(size: number): RouteTable {
  const routes = Array.from({ length: size }, (_, i) =>
    route(`r${i}`, { headers: [header('end-user', text('exact', `user-${i}`))] }),
  );
  return compileRouteTable(configuration([virtualHost('v', ['*'], routes)]));
}

function contender(name: string, table: RouteTable, requests: readonly ReturnType<typeof request>[]): Contender {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  return {
    name,
    run(calls) {
      let chosen = 0;
      for (let i = 0; i < calls; i++) {
        const decision = decide(table, requests[i % requests.length] ?? request(), random);
        if (decision.kind === 'route' && decision.action.kind === 'forward' && chooseCluster(decision.action, random()))
          chosen++;
      }
      return chosen;
    },
  };
}

const headers = [
  'accept',
  'application/json',
  'user-agent',
  'bench',
  'end-user',
  'user-0',
  'x-request-id',
  '0af7651916cd43dd8448eb211c80319c',
];

function contenders(): readonly Contender[] {
  const byPath = SIZES.map((size) => {
    // Every request asks for another route, the last ones included; half of them have a query string.
    const requests = Array.from({ length: 64 }, (_, i) => {
      const target = Math.floor(((i + 1) * size) / 64 - 0.001);
      return request({
        authority: 'shop:80',
        headers,
        path: `/service-${target}/api/v1/items${i % 2 === 0 ? '?page=2' : ''}`,
      });
    });
    return contender(`decide, ${size} paths`, pathTable(size), requests);
  });
  return [...byPath, contender('decide, first of 10 header rules', headerTable(10), [request({ headers })])];
}

/** Rounds are interleaved, so a disturbance hits all alike. */
export async function bench(): Promise<BenchRow[]> {
  const all = contenders();
  const samples = all.map((): number[] => []);
  for (const { run } of all) run(WARM_UP);
  for (let round = 0; round < ROUNDS; round++) {
    all.forEach(({ run }, i) => {
      const start = performance.now();
      run(CALLS_A_ROUND);
      samples[i]?.push(((performance.now() - start) * 1e6) / CALLS_A_ROUND);
    });
  }
  const rows = all.map(({ name }, i) => summary(name, samples[i] ?? []));
  const [small, , large] = rows;
  if (small === undefined || large === undefined) return rows;
  return [
    ...rows,
    {
      name: 'decide, 1,000 paths against 10',
      value: large.value / small.value,
      unit: 'ratio',
      note: 'bar 1.5, stretch 1.1',
    },
  ];
}

function summary(name: string, values: readonly number[]): BenchRow {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { name, value: at(0.5), unit: 'ns', note: `min ${at(0).toFixed(0)}, max ${at(1).toFixed(0)}` };
}

if (import.meta.main) {
  for (const { name, value, unit, note } of await bench())
    console.log(`${name}: ${value.toFixed(unit === 'ns' ? 0 : 2)} ${unit}${note ? ` (${note})` : ''}`);
}
