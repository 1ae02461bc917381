import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { ENTRY } from '../ca/store.ts';
import { DEFAULT_CA_DIRECTORY } from './ca-directory.ts';
import { createProcessToken, mayCarryToken, type ProcessToken } from './process-token.ts';
import { type Command, labelsOf, portOf, required, UsageError } from './usage.ts';

const DEFAULT_XDS = '127.0.0.1:15010';
const PROBE_MS = 50;
const PROBES_BEFORE_HINT = 200;

const usage = `inmesh run --service NAME --port P [options] -- COMMAND…

Starts COMMAND with what its SDK needs to join the mesh, and registers it as an endpoint of the service NAME as soon as it listens on
port P. It is gone at once when COMMAND ends. With the CA of the control plane at hand it gives COMMAND a token, which proves who it is.
  --service NAME     the service it belongs to
  --port P           the port COMMAND listens on (also given to it as PORT unless that is set)
  --version V        its version label, which subsets select by
  --namespace NS     default
  --service-account SA  default
  --ca DIR           the directory of the control plane's CA (${DEFAULT_CA_DIRECTORY}), where there is one
  --label K=V        another label; may be repeated
  --xds ADDRESS      the control plane (INMESH_XDS, else ${DEFAULT_XDS})`;

interface RunOptions {
  readonly service: string;
  readonly port: number;
  readonly version: string | undefined;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ca: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly xds: string;
  readonly command: readonly [string, ...string[]];
}

function parse(args: readonly string[]): RunOptions {
  const cut = args.indexOf('--');
  const [program, ...rest] = cut < 0 ? [] : args.slice(cut + 1);
  if (program === undefined) throw new UsageError('the command to run is missing: it stands behind --');
  const { values } = parseArgs({
    args: [...args.slice(0, cut)],
    options: {
      service: { type: 'string' },
      port: { type: 'string' },
      version: { type: 'string' },
      namespace: { type: 'string', default: 'default' },
      'service-account': { type: 'string', default: 'default' },
      ca: { type: 'string', default: DEFAULT_CA_DIRECTORY },
      label: { type: 'string', multiple: true, default: [] },
      xds: { type: 'string', default: process.env.INMESH_XDS ?? DEFAULT_XDS },
    },
  });
  const service = required(values.service, '--service');
  const own = new Map([
    ['app', service],
    ...(values.version === undefined ? [] : [['version', values.version] as const]),
  ]);
  return {
    service,
    port: portOf(values.port, '--port'),
    version: values.version,
    namespace: values.namespace,
    serviceAccount: values['service-account'],
    ca: values.ca,
    labels: new Map([...own, ...labelsOf(values.label)]),
    xds: values.xds,
    command: [program, ...rest],
  };
}

/** No service is named in it: this process registers the program, once. */
const withoutService = (): NodeJS.ProcessEnv => ({ ...process.env, INMESH_SERVICE: '' });

/** The bootstrap of the program. */
function environment(options: RunOptions, token: ProcessToken | undefined): NodeJS.ProcessEnv {
  const { service, port, version, namespace, serviceAccount, labels, xds } = options;
  return {
    PORT: String(port),
    INMESH_WORKLOAD: version === undefined ? service : `${service}-${version}`,
    ...withoutService(),
    INMESH_XDS: xds,
    INMESH_NAMESPACE: namespace,
    INMESH_SERVICE_ACCOUNT: serviceAccount,
    ...(token !== undefined && { INMESH_TOKEN_FILE: token.file }),
    ...caRootOf(options),
    INMESH_LABELS: [...labels].map(([key, value]) => `${key}=${value}`).join(','),
  };
}

/** Roots for `tls://`, where the environment names none and the CA is on this machine. */
function caRootOf({ xds, ca }: RunOptions): { INMESH_CA_ROOT?: string } {
  const file = path.resolve(ca, ENTRY.roots);
  const isWanted = xds.startsWith('tls://') && process.env.INMESH_CA_ROOT === undefined && existsSync(file);
  return isWanted ? { INMESH_CA_ROOT: file } : {};
}

const rootOption = (options: RunOptions): { caRoot?: string } => {
  const { INMESH_CA_ROOT: caRoot } = caRootOf(options);
  return caRoot === undefined ? {} : { caRoot };
};

/** Whoever brings a token of its own keeps it. */
async function tokenOf({ xds, ca, namespace, serviceAccount }: RunOptions): Promise<ProcessToken | undefined> {
  const { INMESH_TOKEN, INMESH_TOKEN_FILE } = process.env;
  if (INMESH_TOKEN || INMESH_TOKEN_FILE || !mayCarryToken(xds)) return undefined;
  return createProcessToken({ directory: ca, namespace, serviceAccount });
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const done = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** Registers once the port is open, so that nobody is sent to a process that is still starting. */
async function registerWhenOpen(mesh: Mesh, child: ChildProcess, options: RunOptions): Promise<void> {
  const { service, port, version, labels } = options;
  const registration = { service, port, labels: Object.fromEntries(labels), ...(version !== undefined && { version }) };
  for (let probes = 1; child.exitCode === null && child.signalCode === null; probes++) {
    if (await accepts('127.0.0.1', port)) return mesh.register(registration);
    // "localhost" alone may mean the IPv6 loopback, which nobody finds by the address our own stream has.
    // Asked once more: a port of both families may have opened between the two looks.
    if ((await accepts('::1', port)) && !(await accepts('127.0.0.1', port))) {
      return mesh.register({ ...registration, address: '::1' });
    }
    if (probes === PROBES_BEFORE_HINT) {
      process.stderr.write(
        `inmesh run: nothing listens on port ${port} yet; ${service} is registered as soon as it does\n`,
      );
    }
    await sleep(PROBE_MS);
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`cannot start ${child.spawnfile}: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}

export const run: Command = {
  summary: 'starts a program on the mesh and registers it',
  usage,
  async run(args) {
    const options = parse(args);
    const { namespace, serviceAccount, labels, xds, service, version } = options;
    const workload = version === undefined ? service : `${service}-${version}`;
    const token = await tokenOf(options);
    const self = {
      namespace,
      serviceAccount,
      workload: `${workload}-${process.pid}`,
      labels: Object.fromEntries(labels),
      ...(token !== undefined && { identity: { tokenFile: token.file, ...rootOption(options) } }),
    };
    const mesh = createMesh({ xds, ...self }, { env: withoutService() });
    const [program, ...rest] = options.command;
    const child = spawn(program, rest, { stdio: 'inherit', env: environment(options, token) });
    const forward = (signal: NodeJS.Signals) => {
      // Out of the mesh first: new calls go elsewhere while the program finishes.
      void mesh.close().finally(() => child.kill(signal));
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
    const ended = exitOf(child);
    void registerWhenOpen(mesh, child, options);
    try {
      return await ended;
    } finally {
      await mesh.close();
      token?.close();
    }
  },
};
