import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { defaultOf } from '../defaults.ts';

/** What tells one version of a file from the next without reading it. */
export interface FileStamp {
  readonly stamp: string;
  readonly mtimeMs: number;
  readonly bytes: number;
}

const READ = new Set(['.yaml', '.yml', '.json']);

/**
 * Every configuration file below a folder, sorted by path. Symbolic links are followed (Kubernetes mounts a ConfigMap
 * through `..data`), names that begin with a dot and node_modules are not looked into.
 */
export const listFiles = async (folder: string): Promise<ReadonlyMap<string, FileStamp>> => {
  const found = new Map<string, FileStamp>();
  if ((await stat(folder)).isDirectory()) await walk(folder, new Set([await realpath(folder)]), found);
  else await note(folder, found);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
};

const walk = async (folder: string, above: ReadonlySet<string>, found: Map<string, FileStamp>): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const at = path.join(folder, entry.name);
    const isFolder = entry.isSymbolicLink() ? await isDirectory(at) : entry.isDirectory();
    if (!isFolder) {
      if (READ.has(path.extname(entry.name).toLowerCase())) await note(at, found);
      continue;
    }
    const real = await realpath(at).catch(() => undefined);
    // A link to a folder above would never end.
    if (real !== undefined && !above.has(real)) await walk(at, new Set([...above, real]), found).catch(ignoreVanished);
  }
};

const isDirectory = async (at: string): Promise<boolean> => {
  const found = await stat(at).catch(() => undefined);
  return found?.isDirectory() ?? false;
};

const note = async (file: string, found: Map<string, FileStamp>): Promise<void> => {
  const at = await stat(file).catch(() => undefined);
  if (at === undefined || !at.isFile()) return;
  const { size, mtimeMs, ctimeMs, ino } = at;
  found.set(file, { stamp: `${size}|${mtimeMs}|${ctimeMs}|${ino}`, mtimeMs, bytes: size });
};

const ignoreVanished = (error: unknown): void => {
  if (!isVanished(error)) throw error;
};

const isVanished = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

/** The file's text, or what is wrong with it, or undefined when it is gone. */
export const readText = async (
  file: string,
  bytes: number,
): Promise<{ text: string } | { error: string } | undefined> => {
  const most = defaultOf('fileBytes');
  if (bytes > most) return { error: `is ${bytes} bytes long, at most ${most} are read` };
  try {
    return { text: await readFile(file, 'utf8') };
  } catch (error) {
    return isVanished(error)
      ? undefined
      : { error: `cannot be read: ${error instanceof Error ? error.message : error}` };
  }
};
