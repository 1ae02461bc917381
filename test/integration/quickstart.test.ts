import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

interface Block {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}

function blocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)(?: file=(\S+))?\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    file: match[2],
    text: match[3] ?? '',
  }));
}

/** Runs the page's shell blocks in one shell, each followed by a marker, and gives what each printed. */
function runAll(folder: string, commands: readonly string[]): Promise<string[]> {
  const script = commands.map((command) => `${command}\necho "-- end of block --"`).join('\n');
  const shell = spawn('bash', ['-e', '-c', script], {
    cwd: folder,
    env: {
      ...process.env,
      INMESH: ROOT,
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH ?? ''}`,
      NODE_OPTIONS: '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  let errors = '';
  shell.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  shell.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    shell.on('exit', (code) => {
      // What the page starts in the background (npx does not hand signals on) ends with its process group.
      try {
        if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL');
      } catch {
        // Nothing was left.
      }
      if (code === 0) resolve(text.split('-- end of block --\n'));
      else reject(new Error(`the quickstart's commands exited with ${code}\n${text}\n${errors}`));
    });
  });
}

const lines = (printed: string, version: string): number =>
  Number(new RegExp(`(\\d+) hello from ${version}`).exec(printed)?.[1] ?? 0);

describe('docs/quickstart.md', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-quickstart-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('its commands, run literally, end in a live 90/10 split that an edit turns over', async () => {
    const page = blocks(readFileSync(path.join(ROOT, 'docs/quickstart.md'), 'utf8'));
    for (const { file, text } of page) if (file !== undefined) writeFileSync(path.join(folder, file), text);
    const commands = page.filter(({ language }) => language === 'sh').map(({ text }) => text);
    const printed = await runAll(folder, commands);
    const split = printed.find((block) => /\d+ hello from v1/.test(block)) ?? '';
    const turned = printed[printed.indexOf(split) + 1] ?? '';
    expect(lines(split, 'v1') + lines(split, 'v2')).toBe(100);
    expect(lines(split, 'v1')).toBeGreaterThan(70);
    expect(lines(turned, 'v2')).toBe(20);
    expect(printed.at(-2)).toMatch(/greeter/);
  }, 240_000);
});
