import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createXdsServer, watchFiles, type XdsServer } from '@inmesh/xds-server';
import { PageClient } from './page-client.ts';
import { type ServiceProcess, startServices, stopServices } from './processes.ts';
import { runScenario } from './scenario-run.ts';
import { SCENARIOS, WAITING } from './scenarios.ts';
import { TrafficTable } from './traffic-table.ts';

const FOLDER = path.dirname(fileURLToPath(import.meta.url));
const USAGE = `npm start                                  Bookinfo, its page's URL and a live table of who calls whom
npm start -- --scenario NAME --requests N --once   runs one scenario and prints what answered
npm start -- --once                        runs every scenario

  --config DIR     the YAML folder to run on (examples/bookinfo/mesh)
  --traffic RPS    page views per second made while it runs (5; 0 = none)
  --requests N     requests per scenario (500)

scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}
waiting for call policy: ${[...WAITING.keys()].join(', ')}
`;

interface Bookinfo {
  readonly server: XdsServer;
  readonly processes: readonly ServiceProcess[];
  readonly url: string;
  readonly table: TrafficTable;
}

async function bringUp(config: string): Promise<Bookinfo> {
  const server = createXdsServer({ source: watchFiles(config) });
  server.onProblem((problem) => process.stderr.write(`${problem}\n`));
  const { xds } = await server.listen({ xds: '127.0.0.1:0', admin: '127.0.0.1:0' });
  const table = new TrafficTable();
  const processes = await startServices(xds, (traffic) => table.record(traffic));
  await server.settled();
  const port = processes.find(({ service }) => service === 'productpage')?.port;
  return { server, processes, table, url: `http://127.0.0.1:${port}/productpage` };
}

async function takeDown({ server, processes }: Bookinfo): Promise<void> {
  await stopServices(processes);
  await server.close();
}

/** A rename, so that the watcher never sees half a file. */
function install(rules: string, folder: string): void {
  const fresh = path.join(folder, '.rules.tmp');
  copyFileSync(path.join(FOLDER, 'scenarios', `${rules}.yaml`), fresh);
  renameSync(fresh, path.join(folder, 'rules.yaml'));
}

async function runScenarios(names: readonly string[], requests: number): Promise<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bookinfo-'));
  copyFileSync(path.join(FOLDER, 'mesh', 'services.yaml'), path.join(folder, 'services.yaml'));
  install(names[0] ?? 'all-v1', folder);
  const bookinfo = await bringUp(folder);
  let good = true;
  try {
    for (const name of names) {
      const scenario = SCENARIOS.find((candidate) => candidate.name === name);
      if (!scenario) continue;
      install(name, folder);
      await bookinfo.server.settled();
      const result = await runScenario(bookinfo.url, scenario, requests);
      good &&= result.within && result.failures === 0;
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  } finally {
    await takeDown(bookinfo);
    rmSync(folder, { recursive: true, force: true });
  }
  return good;
}

async function traffic(url: string, perSecond: number, stopped: AbortSignal): Promise<void> {
  const client = new PageClient(url);
  for (let index = 0; !stopped.aborted; index++) {
    const user = index % 4 === 0 ? 'jason' : undefined;
    client.reviewsVersion({ path: '/productpage', user, headers: {} }).catch(() => {});
    await sleep(1_000 / perSecond);
  }
  client.close();
}

async function live(config: string, perSecond: number): Promise<void> {
  const bookinfo = await bringUp(config);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  process.once('disconnect', () => stop.abort());
  process.channel?.unref();
  process.stdout.write(`\nBookinfo   ${bookinfo.url}\nrules      ${config}   (edit them while this runs)\n\n`);
  if (perSecond > 0) void traffic(bookinfo.url, perSecond, stop.signal);
  const terminal = process.stdout.isTTY;
  let printed = 0;
  while (!stop.signal.aborted) {
    await sleep(1_000, undefined, { signal: stop.signal }).catch(() => {});
    const lines = bookinfo.table.take(1);
    if (terminal && printed > 0) process.stdout.write(`\u001b[${printed}A\u001b[J`);
    process.stdout.write(`${lines.join('\n')}\n${terminal ? '' : '\n'}`);
    printed = lines.length;
  }
  await takeDown(bookinfo);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      requests: { type: 'string', default: '500' },
      once: { type: 'boolean', default: false },
      config: { type: 'string', default: path.join(FOLDER, 'mesh') },
      traffic: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const requests = Number(values.requests);
  if (!Number.isSafeInteger(requests) || requests < 1) {
    process.stderr.write(`--requests: got "${values.requests}", want a whole number from 1\n`);
    return 2;
  }
  if (values.scenario === undefined && !values.once) {
    await live(path.resolve(values.config), Number(values.traffic));
    return 0;
  }
  const waiting = WAITING.get(values.scenario ?? '');
  if (waiting !== undefined) {
    process.stderr.write(
      `${values.scenario} waits for call policy: ${waiting} is translated but not yet enforced by the SDK\n`,
    );
    return 2;
  }
  const names = SCENARIOS.map(({ name }) => name);
  if (values.scenario !== undefined && !names.includes(values.scenario)) {
    process.stderr.write(
      `--scenario: got "${values.scenario}", want one of ${[...names, ...WAITING.keys()].join(', ')}\n`,
    );
    return 2;
  }
  return (await runScenarios(values.scenario === undefined ? names : [values.scenario], requests)) ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 2;
});
