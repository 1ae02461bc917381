/** A process that opens connections to a guarded server and keeps them, and tells its resident memory. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { createMesh, type Mesh } from '@inmesh/sdk';

export interface ClientTask {
  readonly url: string;
  readonly xds: string;
  readonly token: string;
  readonly rootsFile: string;
  /** Connections to have. */
  readonly open: number;
}

const DIALS = 10;
const ROUNDS_OF_COLLECTION = 10;

let mesh: Mesh | undefined;

/** As many calls at a time as there are to be connections: the server answers none of them to its end before all have begun. */
async function openAll({ url, xds, token, rootsFile, open }: ClientTask): Promise<void> {
  mesh ??= createMesh(
    { xds, workload: 'web', identity: { token, caRoot: rootsFile }, configTimeoutMs: 60_000 },
    { env: {} },
  );
  const { fetch } = mesh;
  const held: Response[] = [];
  const dial = async (): Promise<void> => {
    while (held.length < open) {
      const response = await fetch(`${url}hold`);
      if (response.status !== 200) throw new Error(`${url}: answered ${response.status}`);
      held.push(response);
    }
  };
  await Promise.all(Array.from({ length: DIALS }, dial));
  await (await fetch(`${url}release`)).arrayBuffer();
  for (const response of held) await response.arrayBuffer();
}

process.on('message', async (task: ClientTask) => {
  await openAll(task);
  for (let round = 0; round < ROUNDS_OF_COLLECTION; round++) {
    globalThis.gc?.();
    await delay(100);
  }
  process.send?.(process.memoryUsage.rss());
});
process.once('disconnect', () => process.exit());
