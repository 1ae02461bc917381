import { setImmediate as turn } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';

/** The flag counts for contexts made after it. */
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

/** What is alive, MB; weak references are let go of between the two collections. */
export async function aliveMb(): Promise<number> {
  collect();
  await turn();
  collect();
  return process.memoryUsage().heapUsed / 1e6;
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;

/** What the first and the last third of a run have alive. The first tenth is warming up. */
export function growth(samples: readonly number[]): { readonly firstMb: number; readonly lastMb: number } {
  const warm = samples.slice(Math.ceil(samples.length / 10));
  const third = Math.max(Math.floor(warm.length / 3), 1);
  return { firstMb: median(warm.slice(0, third)), lastMb: median(warm.slice(-third)) };
}
