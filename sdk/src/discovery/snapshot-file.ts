import { readFileSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { defaultOf } from '../defaults.ts';
import type { SnapshotFile } from './last-good.ts';

/** A file of ours alone (0600), replaced as a whole: who reads it sees the old or the new one. */
export function openSnapshotFile(path: string): SnapshotFile {
  return {
    read() {
      try {
        const { size } = statSync(path);
        const most = defaultOf('snapshotBytes');
        if (size > most) throw new Error(`it has ${size} bytes, ${most} at most`);
        return readFileSync(path, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async write(text) {
      const fresh = `${path}.${process.pid}.tmp`;
      await rm(fresh, { force: true });
      // `wx`: never through a link that someone else put there.
      await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
      await rename(fresh, path);
    },
  };
}
