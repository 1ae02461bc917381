import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { ENTRY, type Entries, type SecretStore, type StoredEntries } from './store.ts';

const MOST_BYTES = 1_048_576;
/** A write takes milliseconds. Whoever waits, waits longer than a lock that was left behind lasts. */
const LOCK_AGE_MS = 10_000;
const LOCK_PATIENCE_MS = 15_000;

/**
 * The order files are written in, so that a power cut between two of them leaves what `readAuthority` can finish: who is
 * retired is kept before the key that replaces it, trusted before it signs.
 */
const WRITE_ORDER: readonly string[] = [
  ENTRY.nextKey,
  ENTRY.nextCertificate,
  ENTRY.retiredKeys,
  ENTRY.retiredCertificates,
  ENTRY.roots,
  ENTRY.key,
  ENTRY.certificate,
  ENTRY.state,
];

/** A folder of files as of a plugged-in CA: keys 0600, and the folder 0700 where it is made here. */
export function directoryStore(directory: string): SecretStore {
  const folder = path.resolve(directory);
  const name = `directory ${folder}`;
  const read = async (): Promise<StoredEntries | undefined> => {
    const entries = new Map<string, string>();
    for (const entry of Object.values(ENTRY)) {
      const text = await readEntry(path.join(folder, entry));
      if (text !== undefined) entries.set(entry, text);
    }
    return entries.size === 0 ? undefined : { entries, version: versionOf(entries) };
  };
  return {
    name,
    read,
    write: async (entries, version) => {
      await makeFolder(folder, version === undefined);
      return locked(folder, async () => {
        const before = await read();
        if (before?.version !== version) return 'conflict';
        await replaceAll(
          WRITE_ORDER.flatMap((entry) => {
            const text = entries.get(entry);
            return text === undefined || text === before?.entries.get(entry)
              ? []
              : [[path.join(folder, entry), text] as const];
          }),
        );
        for (const entry of WRITE_ORDER)
          if (!entries.has(entry) && before?.entries.has(entry) === true) await rm(path.join(folder, entry));
        return 'written';
      });
    },
  };
}

const versionOf = (entries: Entries): string => {
  const hash = createHash('sha256');
  for (const [name, text] of entries) hash.update(`${name} ${text.length}\n${text}`);
  return hash.digest('base64url');
};

async function readEntry(file: string): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    if (size > MOST_BYTES) throw new Error(`${file}: got ${size} bytes, at most ${MOST_BYTES} are read`);
    const text = await readFile(file, 'utf8');
    // An empty file is none, as istiod has it: its Secret carries the names it does not use with nothing in them.
    return text.trim() === '' ? undefined : text;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeFolder(folder: string, isNew: boolean): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!isNew) return;
  try {
    // A folder of keys inside somebody's working copy is not committed by accident.
    await writeFile(path.join(folder, '.gitignore'), '*\n', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Never seen half written, and never readable by others: new files of 0600 take the names of the old ones, one after the other, once
 * all of them are on the disk.
 */
export async function replaceAll(files: readonly (readonly [file: string, text: string])[]): Promise<void> {
  const staged: { readonly file: string; readonly written: string }[] = [];
  try {
    for (const [file, text] of files) {
      const written = `${file}.${randomBytes(6).toString('hex')}`;
      staged.push({ file, written });
      const handle = await open(written, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    for (const { file, written } of staged) await rename(written, file);
  } catch (error) {
    await Promise.all(staged.map(({ written }) => rm(written, { force: true })));
    throw error;
  }
}

/** One writer at a time, in whatever process; a lock that its holder left behind is broken. */
async function locked<T>(folder: string, run: () => Promise<T>): Promise<T> {
  const lock = path.join(folder, '.lock');
  await take(lock);
  try {
    return await run();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 25) {
    try {
      await writeFile(lock, `${hostname()} ${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    if (await isLeftBehind(lock)) await rm(lock, { force: true });
    else if (waitedMs >= LOCK_PATIENCE_MS) throw new Error(`${lock}: another process holds it`);
    else await pause(25);
  }
}

/** Old, or of a process of this machine that has ended. */
async function isLeftBehind(lock: string): Promise<boolean> {
  const held = await stat(lock).catch(() => undefined);
  if (held === undefined) return false;
  // The file system tells times by the machine's clock.
  if (systemClock.wallTime() - held.mtimeMs > LOCK_AGE_MS) return true;
  const [host, pid] = (await readFile(lock, 'utf8').catch(() => '')).split(' ').map((word) => word.trim());
  if (host !== hostname() || !/^\d+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
