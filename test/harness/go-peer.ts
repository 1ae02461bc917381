import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where peers are kept, outside the repository. */
export const PEER_CACHE = process.env.INMESH_CACHE ?? path.join(os.homedir(), '.cache', 'inmesh');

/** One module for all of them: grpc-go is compiled once, and of one release. */
const MODULE = path.join(path.dirname(fileURLToPath(import.meta.url)), '../go-peers');

/** A first build of grpc-go takes two or three minutes; a registry that does not answer takes for ever. */
const LONGEST_MS = 600_000;

/** Runs a program to its end; false where it is not there, fails or does not end. */
export function attempt(file: string, args: readonly string[], cwd?: string): boolean {
  try {
    execFileSync(file, args, { cwd, env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'ignore', timeout: LONGEST_MS });
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of a program of `test/go-peers`, or of another module's only one; built once for its sources and kept. Undefined where there is no Go
 * or a module cannot be had.
 */
export function buildGoPeer(name: string, module?: string): string | undefined {
  const [root, folders, program] = module === undefined ? [MODULE, `{${name},raw}/`, `./${name}`] : [module, '', '.'];
  const hash = createHash('sha256');
  for (const file of globSync(['go.{mod,sum}', `${folders}*.go`], { cwd: root }).sort())
    hash.update(readFileSync(path.join(root, file)));
  const binary = path.join(PEER_CACHE, 'go', `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  const go = ['go', '/usr/local/go/bin/go'].find((one) => attempt(one, ['version']));
  if (go === undefined) return undefined;
  mkdirSync(path.dirname(binary), { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  if (!attempt(go, ['build', '-buildvcs=false', '-trimpath', '-o', fresh, program], root)) return undefined;
  renameSync(fresh, binary);
  return binary;
}
