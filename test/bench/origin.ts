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

/** An HTTP server in a process of its own: its CPU time is not the client's. */
export async function startOrigin(): Promise<Origin> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve'], {
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

if (process.argv[2] === 'serve') serve();
