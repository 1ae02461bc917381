import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'server');

/** Path of grpc-go's interop server, built once for its sources and kept; undefined where there is no Go or a module cannot be had. */
export function buildServer(): string | undefined {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(path.join(SOURCES, file)));
  const cache = path.join(process.env.INMESH_CACHE ?? path.join(os.homedir(), '.cache', 'inmesh'), 'go');
  const binary = path.join(cache, `grpc-interop-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  for (const go of ['go', '/usr/local/go/bin/go']) {
    try {
      const options = { cwd: SOURCES, env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'ignore' } as const;
      execFileSync(go, ['build', '-buildvcs=false', '-trimpath', '-o', fresh, '.'], options);
      renameSync(fresh, binary);
      return binary;
    } catch {}
  }
  return undefined;
}

export interface GoServer {
  readonly port: number;
  stop(): void;
}

export async function startServer(binary: string): Promise<GoServer> {
  const child: ChildProcess = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const port = await new Promise<number>((resolve, reject) => {
    lines.once('line', (line) => resolve(Number(line)));
    child.once('exit', (code) => reject(new Error(`the interop server ended with ${code}`)));
  });
  return { port, stop: () => child.kill('SIGKILL') };
}
