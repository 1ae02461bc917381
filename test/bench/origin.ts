import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** What every call of a bench is answered with: the size of a small JSON reply. */
const ANSWER = Buffer.from(JSON.stringify({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 }, note: 'x'.repeat(45) }));

export interface Origin {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

/** An HTTP server in a process of its own. */
export const startOrigin = (): Promise<Origin> => spawnOrigin(import.meta.url);

/** A module that serves when it is told to, and sends its port: in a process of its own, whose CPU time is not the client's. */
export async function spawnOrigin(module: string): Promise<Origin> {
  const child = spawn(process.execPath, [fileURLToPath(module), 'serve'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    pid: child.pid ?? 0,
    async close() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

function serve(): void {
  const headers = { 'content-type': 'application/json', 'content-length': ANSWER.length };
  const server = createServer({ keepAliveTimeout: 75_000 }, (_request, response) => {
    response.writeHead(200, headers).end(ANSWER);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') process.send?.(address.port);
  });
  process.once('disconnect', () => process.exit(0));
}

// Not in the process of a module that only takes `spawnOrigin` from here.
if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'serve') serve();
