import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directoryStore } from './directory-store.ts';
import { ENTRY } from './store.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-store-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const entries = (key: string) => new Map([[ENTRY.key as string, key]]);

describe('a directory of keys', () => {
  it('keeps what is written, replaces it whole and leaves nothing half written behind', async () => {
    const store = directoryStore(path.join(folder, 'ca'));
    expect(await store.read()).toBeUndefined();
    expect(await store.write(new Map([...entries('one'), [ENTRY.state, '{}']]), undefined)).toBe('written');
    const first = await store.read();
    expect(first?.entries).toEqual(new Map([...entries('one'), [ENTRY.state, '{}']]));
    expect(await store.write(entries('two'), first?.version)).toBe('written');
    expect((await store.read())?.entries).toEqual(entries('two'));
    expect(readdirSync(path.join(folder, 'ca')).sort()).toEqual(['.gitignore', 'ca-key.pem']);
  });

  it('writes nothing over what somebody else wrote meanwhile', async () => {
    const [one, other] = [directoryStore(folder), directoryStore(folder)];
    expect(await one.write(entries('one'), undefined)).toBe('written');
    expect(await other.write(entries('other'), undefined)).toBe('conflict');
    const before = await other.read();
    await one.write(entries('two'), before?.version);
    expect(await other.write(entries('other'), before?.version)).toBe('conflict');
    expect((await one.read())?.entries).toEqual(entries('two'));
  });

  it('lets one of many writers through at a time', async () => {
    const stores = Array.from({ length: 8 }, () => directoryStore(folder));
    const outcomes = await Promise.all(stores.map((store, index) => store.write(entries(String(index)), undefined)));
    expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1);
  });

  it('breaks a lock that its holder left behind: an old one, or one of a process that has ended', async () => {
    const store = directoryStore(folder);
    const lock = path.join(folder, '.lock');
    writeFileSync(lock, 'elsewhere 1\n');
    utimesSync(lock, new Date(0), new Date(0));
    expect(await store.write(entries('one'), undefined)).toBe('written');
    expect(existsSync(lock)).toBe(false);
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(lock, `${hostname()} ${pid}\n`);
    expect(await store.write(entries('two'), (await store.read())?.version)).toBe('written');
  });

  it('keeps keys 0600, also where the folder was there before and is open to all', async () => {
    const open = path.join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    await directoryStore(open).write(entries('one'), undefined);
    expect(statSync(path.join(open, ENTRY.key)).mode & 0o777).toBe(0o600);
    expect(statSync(open).mode & 0o777).toBe(0o755);
  });

  it('follows links, as Kubernetes mounts Secrets, and takes an empty file for none', async () => {
    mkdirSync(path.join(folder, '..data-1'));
    writeFileSync(path.join(folder, '..data-1', ENTRY.key), 'linked');
    symlinkSync('..data-1', path.join(folder, '..data'));
    symlinkSync(path.join('..data', ENTRY.key), path.join(folder, ENTRY.key));
    writeFileSync(path.join(folder, ENTRY.chain), '\n');
    expect((await directoryStore(folder).read())?.entries).toEqual(entries('linked'));
  });

  it('reads no file that is larger than any key', async () => {
    writeFileSync(path.join(folder, ENTRY.roots), 'x'.repeat(1_048_577));
    await expect(directoryStore(folder).read()).rejects.toThrow('root-cert.pem: got 1048577 bytes');
  });
});
