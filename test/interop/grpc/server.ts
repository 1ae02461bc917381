import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildGoPeer } from '../../harness/go-peer.ts';

const SOURCES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'server');

/** grpc-go's interop server. */
export const buildServer = (): string | undefined => buildGoPeer('grpc-interop', SOURCES);

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
