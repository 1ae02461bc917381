/** What an open connection holds at either end, with mutual TLS and without. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ClientTask } from './mtls-memory-client.ts';
import type { BenchHow, BenchRow } from './run.ts';
import { HOSTS, type SecureWorld, startSecureWorld } from './secure-world.ts';

const BUDGET_KB = 100;
/** Open at the first look: what the first connections load and make is not a connection's. */
const BEFORE = 100;
const CONNECTIONS = 1_000;

interface Resident {
  readonly client: number;
  readonly server: number;
}

async function ask(child: ChildProcess, task: ClientTask): Promise<number> {
  const told = once(child, 'message');
  child.send(task);
  const [bytes] = (await told) as [number];
  return bytes;
}

/** Both processes are new: pages that others have left behind would be found again. */
async function inOwnWorld(host: string, connections: number): Promise<Resident> {
  const world = await startSecureWorld();
  try {
    return await perConnection(world, host, connections);
  } finally {
    await world.close();
  }
}

/** Resident kilobytes a connection. */
async function perConnection(world: SecureWorld, host: string, connections: number): Promise<Resident> {
  const child = fork(fileURLToPath(new URL('mtls-memory-client.ts', import.meta.url)), {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  const { xds, rootsFile } = world;
  const task: ClientTask = { url: `${host}/`, xds, rootsFile, token: await world.token('web'), open: BEFORE };
  const look = async (open: number): Promise<Resident> => ({
    client: await ask(child, { ...task, open }),
    server: await world.residentBytes(),
  });
  // What the start has left behind goes with a second look.
  await look(BEFORE);
  const before = await look(BEFORE);
  const after = await look(BEFORE + connections);
  child.disconnect();
  await once(child, 'exit');
  const of = (end: keyof Resident): number => (after[end] - before[end]) / connections / 1_000;
  return { client: of('client'), server: of('server') };
}

export async function connectionMemory({ isQuick }: BenchHow): Promise<BenchRow[]> {
  const connections = isQuick ? 50 : CONNECTIONS;
  const plain = await inOwnWorld(HOSTS.open, connections);
  const secured = await inOwnWorld(HOSTS.secure, connections);
  return (['client', 'server'] as const).map((end) => ({
    name: `memory of an open connection with mTLS, ${end}`,
    value: secured[end],
    unit: 'kB',
    note: `resident, ${connections} opened; in plain ${plain[end].toFixed(1)}; budget ≤ ${BUDGET_KB}`,
  }));
}
