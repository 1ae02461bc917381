import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { buildSdk } from './built.ts';
import { spread } from './interleave.ts';
import { startOrigin } from './origin.ts';
import type { BenchRow } from './run.ts';

const ROUNDS = 7;

const REPORT = `
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rssMb: process.memoryUsage().rss / 1048576 }));
process.exit();`;

const PROGRAMS: Readonly<Record<string, string>> = {
  'bare Node': '',
  'import @inmesh/sdk': "import './sdk/src/index.js';",
  'first routed request': `import { meshFetch } from './sdk/src/index.js';
    const response = await meshFetch('http://ratings.example/');
    if (!response.ok || response.mesh === undefined) throw new Error('answered ' + response.status);
    await response.json();`,
  'import undici': "import 'undici';",
  'first fetch of undici': "import { fetch } from 'undici'; await (await fetch(process.env.ORIGIN)).json();",
};

/** A control plane that knows one host, whose endpoint is the bench's origin. */
const MESH = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ratings, namespace: default }
spec:
  hosts: [ratings.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
`;

interface Cost {
  readonly cpuMs: number;
  readonly rssMb: number;
}

async function run(program: string, cwd: string, env: Record<string, string>): Promise<Cost> {
  const args = ['--input-type=module', '-e', program + REPORT];
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(printed) as Cost;
}

export async function bench(): Promise<BenchRow[]> {
  const built = buildSdk();
  const origin = await startOrigin();
  const server = createXdsServer({ source: memorySource(MESH(origin.port)) });
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const env = { INMESH_XDS: xds, INMESH_REQUIRED: '1', ORIGIN: `http://127.0.0.1:${origin.port}/` };
  const costs = new Map(Object.keys(PROGRAMS).map((name) => [name, [] as Cost[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, program] of Object.entries(PROGRAMS))
      costs.get(name)?.push(await run(program, built.folder, env));
  }
  await server.close();
  await origin.close();
  built.remove();
  const [bare, ...others] = [...costs];
  return others.flatMap(([name, runs]) => [
    row(name, runs, bare?.[1] ?? [], 'cpuMs'),
    row(name, runs, bare?.[1] ?? [], 'rssMb'),
  ]);
}

function row(name: string, runs: readonly Cost[], bare: readonly Cost[], what: keyof Cost): BenchRow {
  const over = runs.map((cost, round) => cost[what] - (bare[round]?.[what] ?? 0));
  const { min, median, max } = spread(over);
  const unit = what === 'cpuMs' ? 'ms' : 'MB';
  return {
    name: `${name}: ${what === 'cpuMs' ? 'CPU' : 'RSS'} over bare Node`,
    value: median,
    unit,
    note: `${min.toFixed(0)} to ${max.toFixed(0)} ${unit}; bare Node ${spread(bare.map((cost) => cost[what])).median.toFixed(0)} ${unit}`,
  };
}
