import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ask, fate, plain } from './server.fixture.ts';

const SERVER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'index.ts');

/** A guarded server in a process of its own; /slow is answered when it is told to on stdin. */
const PROGRAM = `
  import { createServer } from 'node:http';
  const { guard } = await import(${JSON.stringify(SERVER)});
  let release;
  const app = createServer((request, response) => {
    if (request.url === '/slow') { release = () => response.end('late'); console.log('waiting'); }
    else response.end('ok');
  });
  process.stdin.on('data', () => release());
  process.stdin.unref?.();
  const guarded = guard(app, { shutdown: { delayMs: Number(process.env.DELAY ?? 0), graceMs: 60000 } });
  const { port } = await guarded.listen({ port: 0, host: '127.0.0.1' });
  console.log(port);
`;

async function start(delayMs = 0) {
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', PROGRAM];
  const child = spawn(process.execPath, args, { env: { DELAY: String(delayMs) }, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  child.stdout.on('data', (bytes: Buffer) => {
    lines.push(...String(bytes).trim().split('\n'));
    for (const run of waiting.splice(0)) run();
  });
  const line = async (): Promise<string> => {
    while (lines.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    return lines.shift() ?? '';
  };
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return { child, line, ended, port: Number(await line()) };
}

describe.skipIf(process.platform === 'win32')('SIGTERM', () => {
  it('ends the process by the signal once what is under way is answered', async () => {
    const { child, line, ended, port } = await start();
    const idle = await plain(port);
    const closed = fate(idle);
    const slow = ask(await plain(port), { path: '/slow' });
    expect(await line()).toBe('waiting');
    child.kill('SIGTERM');
    expect(await closed).toBe('closed');
    child.stdin.write('go\n');
    expect(await slow).toMatchObject({ text: 'late', headers: { connection: 'close' } });
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  it('takes new connections as long as callers learn of it, each for one request', async () => {
    const { child, ended, port } = await start(60_000);
    const kept = await plain(port);
    expect((await ask(kept)).headers.connection).toBe('keep-alive');
    child.kill('SIGTERM');
    await expect.poll(async () => (await ask(await plain(port))).headers.connection, { timeout: 15_000 }).toBe('close');
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  it('a second time ends it at once', async () => {
    const { child, line, ended, port } = await start();
    const slow = ask(await plain(port), { path: '/slow' }).catch(() => 'cut off');
    expect(await line()).toBe('waiting');
    child.kill('SIGTERM');
    // It is heard twice only if the first has been heard.
    await expect
      .poll(() =>
        plain(port).then(
          () => 'open',
          () => 'closed',
        ),
      )
      .toBe('closed');
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    expect(await slow).toBe('cut off');
  });
});
