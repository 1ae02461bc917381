import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Where peers are kept, outside the repository. */
export const PEER_CACHE = process.env.INMESH_CACHE ?? path.join(os.homedir(), '.cache', 'inmesh');

/** Runs a program to its end; false where it is not there or fails. */
export function attempt(file: string, args: readonly string[], cwd?: string): boolean {
  try {
    execFileSync(file, args, { cwd, env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Path of a Go program, built once for its sources and kept; undefined where there is no Go or a module cannot be had. */
export function buildGoPeer(name: string, sources: string): string | undefined {
  const hash = createHash('sha256');
  const others = readdirSync(sources).filter((file) => file.endsWith('.go') && file !== 'main.go');
  for (const file of ['main.go', 'go.mod', 'go.sum', ...others.sort()])
    hash.update(readFileSync(path.join(sources, file)));
  const binary = path.join(PEER_CACHE, 'go', `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  const go = ['go', '/usr/local/go/bin/go'].find((one) => attempt(one, ['version']));
  if (go === undefined) return undefined;
  mkdirSync(path.dirname(binary), { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  if (!attempt(go, ['build', '-buildvcs=false', '-trimpath', '-o', fresh, '.'], sources)) return undefined;
  renameSync(fresh, binary);
  return binary;
}
