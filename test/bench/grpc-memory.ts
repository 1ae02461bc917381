/** What an idle channel and a call under way hold in memory, each client in a process of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Held } from './grpc-memory-client.ts';
import type { BenchRow } from './run.ts';

async function ask(by: 'mesh' | 'grpc-js', port: number): Promise<Held> {
  const child = fork(fileURLToPath(new URL('grpc-memory-client.ts', import.meta.url)), [by, String(port)], {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`bench grpc: the client's process ended with ${code}`);
  });
  const [held] = (await Promise.race([once(child, 'message'), ended])) as [Held];
  ended.catch(() => {});
  child.disconnect();
  await once(child, 'exit');
  return held;
}

export async function callMemory(port: number): Promise<BenchRow[]> {
  const mesh = await ask('mesh', port);
  const plain = await ask('grpc-js', port);
  const row = (what: string, of: keyof Held): BenchRow => ({
    name: `memory of ${what}`,
    value: mesh[of] / 1_000,
    unit: 'kB',
    note: `heap and buffers after a collection; plain grpc-js ${(plain[of] / 1_000).toFixed(1)} kB`,
  });
  return [row('an idle channel that has made a call', 'channel'), row('a unary call under way', 'call')];
}
