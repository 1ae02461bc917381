import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const find = (name: string, ...places: string[]): string | undefined =>
  [...(process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, name)), ...places].find((file) =>
    existsSync(file),
  );

/** Debian keeps each version's programs in a folder of its own. */
const POSTGRES = globSync('/usr/lib/postgresql/*/bin').sort().at(-1);
const INITDB = find('initdb', ...(POSTGRES ? [path.join(POSTGRES, 'initdb')] : []));
const SERVER = POSTGRES ? path.join(POSTGRES, 'postgres') : find('postgres');
const REDIS = find('redis-server');

export const hasPostgres = INITDB !== undefined && SERVER !== undefined;
export const hasRedis = REDIS !== undefined;

/** A server of the test's own, on a free port of loopback, its files in a folder that goes with it. */
export interface DatabaseServer {
  readonly port: number;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilOpen(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server left with ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await sleep(20);
  }
}

function lives(child: ChildProcess, folder: string, port: number): DatabaseServer {
  return {
    port,
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGINT');
        await gone;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root: then it runs as Debian's user for it. */
async function unprivileged(): Promise<{ readonly uid: number; readonly gid: number } | object> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  return { uid, gid };
}

export async function startPostgres(extra: readonly string[] = []): Promise<DatabaseServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-postgres-'));
  const who = await unprivileged();
  if ('uid' in who) await chown(folder, who.uid, who.gid);
  const data = path.join(folder, 'data');
  await run(INITDB ?? '', ['-D', data, '-U', 'mesh', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'], {
    ...who,
    cwd: folder,
  });
  const port = await freePort();
  const settings = ['-p', `${port}`, '-k', '', '-h', '127.0.0.1', '-F', ...extra];
  const child = spawn(SERVER ?? '', ['-D', data, ...settings], { ...who, cwd: folder, stdio: 'ignore' });
  await untilOpen(port, child);
  return lives(child, folder, port);
}

export async function startRedis(): Promise<DatabaseServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-redis-'));
  const port = await freePort();
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(REDIS ?? '', settings, { stdio: 'ignore' });
  await untilOpen(port, child);
  return lives(child, folder, port);
}
