import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createXdsServer, watchFiles, type XdsServer } from '@inmesh/xds-server';
import { PageClient } from './page-client.ts';
import { type ServiceProcess, startServices, stopServices } from './processes.ts';
import { runScenario, warmUp } from './scenario-run.ts';
import { SCENARIOS } from './scenarios.ts';
import { LiveScreen } from './screen.ts';
import { TrafficTable } from './traffic-table.ts';

const FOLDER = path.dirname(fileURLToPath(import.meta.url));
const USAGE = `npm start                              Bookinfo: its page's URL and a live table of who calls whom
npm start -- --once                    runs every scenario; exit 1 where shares are wrong or a request failed
npm start -- --scenario NAME --once    runs one

  --config DIR     the YAML folder to run on (examples/bookinfo/mesh)
  --traffic RPS    page views per second made while it runs (5; 0 = none)
  --requests N     requests per scenario (500)
  --plaintext      no certificates, nothing encrypted: as without STRICT in the mesh's YAML

Scenarios
${SCENARIOS.map(({ name, summary }) => `  ${name.padEnd(16)} ${summary}`).join('\n')}
`;

interface Bookinfo {
  readonly server: XdsServer;
  readonly processes: readonly ServiceProcess[];
  readonly url: string;
  readonly table: TrafficTable;
  /** Requests that came to each version of reviews. */
  readonly reviewed: Readonly<Record<string, number>>;
  /** Calls that another process answered, since they were last taken; `mutual`: by mutual TLS. */
  taken(): { readonly sent: number; readonly mutual: number };
}

/** The CA is in memory: its root goes with this process, and so do the certificates. */
async function bringUp(config: string, plaintext: boolean, tell: (problem: string) => void): Promise<Bookinfo> {
  const server = createXdsServer({ source: watchFiles(config), plaintext });
  server.onProblem(tell);
  const { xds } = await server.listen({ xds: '127.0.0.1:0', admin: '127.0.0.1:0' });
  const table = new TrafficTable();
  const reviewed: Record<string, number> = {};
  let calls = { sent: 0, mutual: 0 };
  const taken = () => {
    const before = calls;
    calls = { sent: 0, mutual: 0 };
    return before;
  };
  const access = {
    xds,
    token: (serviceAccount: string) => (plaintext ? undefined : server.token({ namespace: 'default', serviceAccount })),
  };
  const processes = await startServices(access, {
    traffic(traffic) {
      table.record(traffic);
      if (traffic.isLocal) return;
      calls.sent++;
      if (traffic.peer !== undefined) calls.mutual++;
    },
    asked(service, version) {
      if (service === 'reviews') reviewed[version] = (reviewed[version] ?? 0) + 1;
    },
  });
  await allRegistered(server, processes);
  const port = processes.find(({ service }) => service === 'productpage')?.port;
  return { server, processes, table, reviewed, taken, url: `http://127.0.0.1:${port}/productpage` };
}

/** A process that listens is not yet found: its registration has to arrive, and the others have to hear of it. */
async function allRegistered(server: XdsServer, processes: readonly ServiceProcess[]): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    const missing = processes.some(({ service, version }) => !server.workload('default', `${service}-${version}`));
    if (!missing) return server.settled();
    await sleep(20);
  }
  throw new Error('not every service of Bookinfo has registered within 20 s');
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

async function runScenarios({ scenarios: names, requests, plaintext }: Wish): Promise<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bookinfo-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  // The services leave with the channel to this process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  for (const file of ['services.yaml', 'peer-authentication.yaml'])
    copyFileSync(path.join(FOLDER, 'mesh', file), path.join(folder, file));
  install(names[0] ?? 'all-v1', folder);
  const bookinfo = await bringUp(folder, plaintext, (problem) => process.stderr.write(`${problem}\n`));
  let good = true;
  try {
    await warmUp(bookinfo.url);
    for (const name of names) {
      const scenario = SCENARIOS.find((candidate) => candidate.name === name);
      if (!scenario) continue;
      install(name, folder);
      await bookinfo.server.settled();
      bookinfo.taken();
      const result = await runScenario(bookinfo.url, scenario, requests, () => ({ ...bookinfo.reviewed }));
      const { sent, mutual } = bookinfo.taken();
      good &&= result.within && result.failures === 0 && mutual === (plaintext ? 0 : sent);
      process.stdout.write(`${JSON.stringify({ ...result, mutualTls: { calls: mutual, of: sent } })}\n`);
    }
  } finally {
    await takeDown(bookinfo);
  }
  return good;
}

async function traffic(url: string, perSecond: number, stopped: AbortSignal): Promise<void> {
  const client = new PageClient(url);
  for (let index = 0; !stopped.aborted; index++) {
    const user = index % 4 === 0 ? 'jason' : undefined;
    client.view({ path: '/productpage', user, headers: {} }).catch(() => {});
    await sleep(1_000 / perSecond);
  }
  client.close();
}

async function live({ config, traffic: perSecond, plaintext }: Wish): Promise<void> {
  const screen = new LiveScreen(process.stdout);
  const bookinfo = await bringUp(config, plaintext, (problem) => screen.note(problem));
  const stop = new AbortController();
  // Never once: Ctrl-C arrives twice, from the terminal and from the launcher.
  process.on('SIGINT', () => stop.abort());
  process.on('SIGTERM', () => stop.abort());
  process.once('disconnect', () => stop.abort());
  process.channel?.unref();
  const rules = path.relative(process.cwd(), config);
  process.stdout.write(
    `\nBookinfo   ${bookinfo.url}\nrules      ${rules.startsWith('..') ? config : rules} (edit them while this runs)\nCtrl-C     ends it\n\n`,
  );
  bookinfo.server.onChange((change) => screen.note(change));
  if (perSecond > 0) void traffic(bookinfo.url, perSecond, stop.signal);
  while (!stop.signal.aborted) {
    await sleep(1_000, undefined, { signal: stop.signal }).catch(() => {});
    screen.draw(bookinfo.table.take(1));
  }
  await takeDown(bookinfo);
}

interface Wish {
  readonly config: string;
  readonly traffic: number;
  readonly requests: number;
  readonly plaintext: boolean;
  /** The scenarios to run; none: bring Bookinfo up and leave it up. */
  readonly scenarios: readonly string[];
}

/** What the arguments ask for, or the text to print and the exit code. */
function readArguments(): Wish | { readonly text: string; readonly code: 0 | 2 } {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      requests: { type: 'string', default: '500' },
      once: { type: 'boolean', default: false },
      config: { type: 'string', default: path.join(FOLDER, 'mesh') },
      traffic: { type: 'string', default: '5' },
      plaintext: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return { text: USAGE, code: 0 };
  const wrong = (text: string) => ({ text: `${text}\n`, code: 2 }) as const;
  const config = path.resolve(values.config);
  if (!existsSync(config)) return wrong(`--config: there is no folder ${config}`);
  const requests = Number(values.requests);
  if (!Number.isSafeInteger(requests) || requests < 1)
    return wrong(`--requests: got "${values.requests}", want a whole number from 1`);
  const traffic = Number(values.traffic);
  if (!(traffic >= 0 && traffic <= 1_000))
    return wrong(`--traffic: got "${values.traffic}", want a number from 0 to 1000`);
  const names = SCENARIOS.map(({ name }) => name);
  const { scenario, plaintext } = values;
  if (scenario === undefined) return { config, requests, traffic, plaintext, scenarios: values.once ? names : [] };
  if (names.includes(scenario)) return { config, requests, traffic, plaintext, scenarios: [scenario] };
  return wrong(`--scenario: got "${scenario}", want one of ${names.join(', ')}`);
}

async function main(): Promise<number> {
  const wish = readArguments();
  if ('text' in wish) {
    (wish.code === 0 ? process.stdout : process.stderr).write(wish.text);
    return wish.code;
  }
  if (wish.scenarios.length > 0) return (await runScenarios(wish)) ? 0 : 1;
  await live(wish);
  return 0;
}

process.exitCode = await main().catch((error: unknown) => {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}\n${isUsage ? 'npm start -- --help tells more\n' : ''}`,
  );
  return 2;
});
