import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs to its own end; nothing of the tests' environment but PATH and HOME reaches it. */
export async function runProgram(file: string, args: readonly string[], { cwd, env }: Program): Promise<Ran> {
  const { PATH = '', HOME = '', SystemRoot } = process.env;
  const child = spawn(file, [...args], {
    cwd,
    env: { PATH, HOME, ...(SystemRoot !== undefined && { SystemRoot }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number | null, stdout, stderr };
}

/** What a program printed, which ended well and had nothing to complain of. */
export async function printed(file: string, args: readonly string[], program: Program): Promise<unknown> {
  const { code, stdout, stderr } = await runProgram(file, args, program);
  if (code !== 0 || stderr !== '') throw new Error(`${args.join(' ')} exited with ${code}\n${stderr}\n${stdout}`);
  return JSON.parse(stdout);
}
