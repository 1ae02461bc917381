import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ENTRY, type Entries, type SecretStore, type StoredEntries } from './store.ts';

const MOST_BYTES = 1_048_576;
const LOCK_PATIENCE_MS = 5_000;
const LOCK_AGE_MS = 30_000;

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
        for (const entry of WRITE_ORDER) {
          const text = entries.get(entry);
          if (text !== undefined && text !== before?.entries.get(entry)) await replace(path.join(folder, entry), text);
        }
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

/** Never seen half written, and never readable by others: a new file of 0600 takes the name of the old one. */
export async function replace(file: string, text: string): Promise<void> {
  const written = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(written, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(written, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(written, file);
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
      await writeFile(lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const held = await stat(lock).catch(() => undefined);
    if (held !== undefined && Date.now() - held.mtimeMs > LOCK_AGE_MS) await rm(lock, { force: true });
    else if (waitedMs >= LOCK_PATIENCE_MS) throw new Error(`${lock}: another process holds it`);
    else await pause(25);
  }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
