import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** One figure of a group; ratios compare cases measured side by side in the same run. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly note?: string;
}

/** How long a group takes that can be told. */
export interface BenchHow {
  readonly rounds: number;
  readonly roundMs: number;
  /** Whether it runs is looked at, its figures say little. */
  readonly isQuick: boolean;
  /** With Envoys beside. */
  readonly hasPeers: boolean;
}

interface Group {
  readonly title: string;
  readonly run: (how: BenchHow) => Promise<readonly BenchRow[]>;
}

const load = (file: string) => async (how: BenchHow) =>
  ((await import(`./${file}.ts`)) as { bench: (how: BenchHow) => Promise<readonly BenchRow[]> }).bench(how);

const WHOLE: BenchHow = { rounds: 5, roundMs: 1_200, isQuick: false, hasPeers: true };
const QUICK: BenchHow = { rounds: 1, roundMs: 150, isQuick: true, hasPeers: true };

const GROUPS: Readonly<Record<string, Group>> = {
  fetch: { title: 'meshFetch, dispatcher and mesh.request beside undici', run: load('fetch') },
  decide: { title: 'decide: routes', run: load('decide') },
  pick: { title: 'pick: balancers and tables', run: load('pick') },
  import: { title: 'import cost', run: load('import') },
  dispatch: { title: 'the call path beside raw undici dispatch', run: load('dispatch') },
  grpc: { title: 'gRPC clients on the mesh beside plain grpc-js', run: load('grpc') },
  dead: { title: 'every upstream dead', run: load('dead') },
  mtls: { title: 'mutual TLS beside plain text, and beside two Envoys', run: load('mtls') },
  envoy: { title: 'every policy on, beside app → Envoy → Envoy → app', run: load('envoy') },
  memory: { title: 'holding a mesh: memory, stalls, idle CPU', run: load('memory') },
  push: { title: 'control plane pushes', run: load('push') },
};
/** What runs without a name: the HTTP path. */
const DEFAULT = ['fetch', 'decide', 'pick', 'import'];
const SMOKE = ['decide', 'import', 'mtls'];
const DOCUMENT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/benchmarks.md');

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

function table(rows: readonly BenchRow[]): string {
  const lines = rows.map(
    ({ name, value, unit, note }) => `| ${name} | ${round(value)} ${unit === 'ratio' ? '×' : unit} | ${note ?? ''} |`,
  );
  return ['| what | value | |', '| --- | ---: | --- |', ...lines].join('\n');
}

/** Replaces the group's section of docs/benchmarks.md; hand-written text around the markers stays. */
function write(name: string, title: string, rows: readonly BenchRow[]): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [from, to] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const section = `${from}\n### ${title}\n\nNode ${process.versions.node}, ${os.cpus().length} × ${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}.\n\n${table(rows)}\n${to}`;
  const start = text.indexOf(from);
  const end = text.indexOf(to);
  writeFileSync(
    DOCUMENT,
    start < 0 ? `${text.trimEnd()}\n\n${section}\n` : text.slice(0, start) + section + text.slice(end + to.length),
  );
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const named = args.filter((arg) => !arg.startsWith('-'));
  const isSmoke = named.includes('smoke');
  const names = isSmoke ? SMOKE : named.length > 0 ? named : DEFAULT;
  const isQuick = isSmoke || args.includes('--quick');
  const how = isQuick ? { ...QUICK, hasPeers: !isSmoke } : WHOLE;
  const unknown = names.find((name) => !(name in GROUPS));
  if (unknown !== undefined) {
    process.stderr.write(
      `bench: got "${unknown}", want one of ${[...Object.keys(GROUPS), 'smoke'].join(', ')} (and --write for docs/benchmarks.md, --quick for a look at mtls and envoy)\n`,
    );
    return 2;
  }
  for (const name of names) {
    const group = GROUPS[name];
    if (!group) continue;
    process.stdout.write(`\n${group.title}\n`);
    const rows = await group.run(how);
    process.stdout.write(`${table(rows)}\n`);
    if (args.includes('--write') && !isQuick) write(name, group.title, rows);
  }
  return 0;
}

process.exitCode = await main();
