import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { AnyObject, ChangeEvent } from '../schema/types.ts';
import { watchFiles } from './files.ts';

const item = (name: string, port: number): string =>
  `- apiVersion: v1\n  kind: Service\n  metadata:\n    name: ${name}\n    namespace: default\n  spec:\n    ports:\n    - name: http\n      port: ${port}\n`;
const dump = (count: number, port = (_: number): number => 80): string =>
  `apiVersion: v1\nitems:\n${Array.from({ length: count }, (_, index) => item(`s${index}`, port(index))).join('')}kind: List\n`;

it('a dump of thousands of objects is read in slices, and its change is one batch of what changed', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'inmesh-large-'));
  const file = path.join(folder, 'dump.yaml');
  await writeFile(file, dump(3_000));
  let turns = 0;
  const batches: (readonly ChangeEvent[])[] = [];
  const turn = (): Promise<void> => {
    turns += 1;
    return setImmediate();
  };
  const source = watchFiles(folder, { watch: false, sweepMs: 3_600_000, turn });
  await source.start({ change: (events) => void batches.push(events), problems: () => {} });
  expect(batches.map(({ length }) => length)).toEqual([3_000]);
  expect(turns).toBeGreaterThan(3);
  await writeFile(
    file,
    dump(3_000, (index) => (index % 1_000 === 0 ? 8_080 : 80)),
  );
  await source.refresh?.();
  const upserts = batches[1]?.flatMap((event): AnyObject[] => (event.kind === 'upsert' ? [event.object] : [])) ?? [];
  expect(batches).toHaveLength(2);
  expect(upserts.map(({ name }) => name).sort()).toEqual(['s0', 's1000', 's2000']);
  source.close();
  await rm(folder, { recursive: true });
});
