/** What an open connection holds at either end, with mutual TLS and without. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ClientTask } from './mtls-memory-client.ts';
import type { BenchHow, BenchRow } from './run.ts';
import { HOSTS, type SecureWorld } from './secure-world.ts';

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
  const before = await look(BEFORE);
  const after = await look(BEFORE + connections);
  child.disconnect();
  await once(child, 'exit');
  const of = (end: keyof Resident): number => (after[end] - before[end]) / connections / 1_000;
  return { client: of('client'), server: of('server') };
}

export async function connectionMemory(world: SecureWorld, { isQuick }: BenchHow): Promise<BenchRow[]> {
  const connections = isQuick ? 50 : CONNECTIONS;
  // In plain first: pages that the other leaves behind would be found again.
  const plain = await perConnection(world, HOSTS.open, connections);
  const secured = await perConnection(world, HOSTS.secure, connections);
  return (['client', 'server'] as const).map((end) => ({
    name: `memory of an open connection with mTLS, ${end}`,
    value: secured[end],
    unit: 'kB',
    note: `resident, ${connections} opened; in plain ${plain[end].toFixed(1)}; budget ≤ ${BUDGET_KB}`,
  }));
}
