import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Traffic } from './traffic-table.ts';

export interface ServiceProcess {
  readonly service: string;
  readonly version: string;
  readonly port: number;
  /** It listens for another service as well. */
  readonly second?: { readonly service: string; readonly port: number };
  readonly child: ChildProcess;
}

interface Call {
  readonly cluster: string;
  readonly endpoint: string;
  /** Whom the other end proved to be. */
  readonly peer?: string;
  /** The mesh itself answered. */
  readonly local: boolean;
  readonly failed: boolean;
}

interface Message {
  readonly ready?: Omit<ServiceProcess, 'child'>;
  /** A request has come. */
  readonly asked?: true;
  readonly call?: Call;
}

const SERVICES: readonly (readonly [service: string, version: string])[] = [
  ['details', 'v1'],
  ['ratings', 'v1'],
  ['reviews', 'v1'],
  ['reviews', 'v2'],
  ['reviews', 'v3'],
  ['productpage', 'v1'],
];

/** Where the control plane is, and what proves to it who a process is. */
export interface MeshAccess {
  readonly xds: string;
  /** A bootstrap token of a service account; undefined in a mesh without identities. */
  token(serviceAccount: string): Promise<string> | undefined;
}

/** The environment that puts one process on the mesh: this is all a process needs. */
async function environment(service: string, version: string, access: MeshAccess): Promise<NodeJS.ProcessEnv> {
  const token = await access.token(`bookinfo-${service}`);
  return {
    ...process.env,
    SERVICE_VERSION: version,
    INMESH_XDS: access.xds,
    ...(token !== undefined && { INMESH_TOKEN: token }),
    INMESH_NAMESPACE: 'default',
    INMESH_WORKLOAD: `${service}-${version}`,
    INMESH_SERVICE_ACCOUNT: `bookinfo-${service}`,
    INMESH_LABELS: `app=${service},version=${version}`,
  };
}

async function startOne(
  service: string,
  version: string,
  access: MeshAccess,
  on: { call(from: string, call: Call): void; asked(): void },
) {
  const file = fileURLToPath(new URL(`services/${service}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', '--disable-warning=ExperimentalWarning', file], {
    env: await environment(service, version, access),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise<ServiceProcess>((resolve, reject) => {
    child.on('message', (message: Message) => {
      if (message.ready) resolve({ ...message.ready, child });
      if (message.call) on.call(service === 'reviews' ? `${service} ${version}` : service, message.call);
      if (message.asked) on.asked();
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`${service} ${version} exited with code ${code} before it was ready`)));
  });
}

export interface ServicesListener {
  /** Every call between them. */
  traffic(traffic: Traffic): void;
  /** A request has come to this version of a service. */
  asked(service: string, version: string): void;
}

/** All of Bookinfo's processes, each with its own identity. */
export async function startServices(access: MeshAccess, on: ServicesListener): Promise<readonly ServiceProcess[]> {
  const names = new Map<string, string>();
  const started = await Promise.all(
    SERVICES.map(async ([service, version]) => {
      const one = await startOne(service, version, access, {
        call(from, call) {
          const callee = names.get(call.endpoint) ?? call.cluster.split('|').filter(Boolean).at(-1) ?? '?';
          on.traffic({ from, to: callee, failed: call.failed, peer: call.peer, isLocal: call.local });
        },
        asked: () => on.asked(service, version),
      });
      names.set(`127.0.0.1:${one.port}`, service === 'reviews' ? `${service} ${version}` : service);
      if (one.second) names.set(`127.0.0.1:${one.second.port}`, one.second.service);
      return one;
    }),
  );
  return started;
}

export async function stopServices(processes: readonly ServiceProcess[]): Promise<void> {
  await Promise.all(
    processes.map(
      ({ child }) =>
        new Promise<void>((gone) => {
          if (child.exitCode !== null || child.signalCode !== null) return gone();
          const kill = setTimeout(() => child.kill('SIGKILL'), 3_000);
          child.once('exit', () => {
            clearTimeout(kill);
            gone();
          });
          child.kill('SIGTERM');
        }),
    ),
  );
}
