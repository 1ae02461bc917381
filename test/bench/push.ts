/** What a change costs the control plane until its last client has it, without identities and with them. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from './run.ts';

const MODES = ['plaintext', 'identity'] as const;
const SAID = { plaintext: 'plaintext', identity: 'CA and mTLS' } as const;

/** A process each: the memory of one is not the other's. */
async function run(mode: (typeof MODES)[number]): Promise<BenchRow[]> {
  const child = fork(fileURLToPath(new URL('push-run.ts', import.meta.url)), [mode]);
  const ended = once(child, 'exit').then(() => {
    throw new Error(`bench push: the process of ${mode} has ended without figures`);
  });
  const [rows] = (await Promise.race([once(child, 'message'), ended])) as [BenchRow[]];
  return rows.map((row) => ({ ...row, name: `${SAID[mode]}: ${row.name}` }));
}

export async function bench(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const mode of MODES) rows.push(...(await run(mode)));
  return rows;
}
