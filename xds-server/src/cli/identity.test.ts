import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { peerOf } from '../embedded/secure-peer.fixture.ts';
import { durationOf } from './token.ts';

const BIN = fileURLToPath(new URL('../../bin/inmesh.mjs', import.meta.url));

let folder = '';
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-identity-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs where a test may leave things; resolves with what it printed once that matches. */
function inmesh(args: readonly string[], pattern: RegExp): Promise<RegExpExecArray> {
  const { INMESH_TOKEN: _token, INMESH_TOKEN_FILE: _file, ...env } = process.env;
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder, env });
  children.add(child);
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const found = pattern.exec(out);
      if (found !== null) resolve(found);
    });
    child.on('close', (code) => reject(new Error(`exit ${code} without printing ${pattern}: ${out}${err}`)));
  });
}

const serve = async () => {
  const args = [
    'serve',
    '--config',
    folder,
    '--xds',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--secure',
    '127.0.0.1:0',
  ];
  const found = await inmesh(args, /ADS {4}(\S+)\nTLS {4}(\S+), its CA in (\S+)\n/);
  const [, xds = '', secure = '', ca = ''] = found;
  return {
    xds,
    secure,
    ca: path.join(folder, ca),
    roots: [readFileSync(path.join(folder, ca, 'root-cert.pem'), 'utf8')],
  };
};

it('a token of the command line opens the TLS port of the control plane beside it, and keys stay out of git', async () => {
  const { secure, roots, ca } = await serve();
  const token = (
    await inmesh(['token', '--namespace', 'shop', '--service-account', 'web', '--ttl', '15m'], /^(\S+)\n/)
  )[1];
  const peer = peerOf(secure, { roots, token: token ?? '' });
  const { chain } = await peer.certificate();
  peer.close();
  expect(chain).toContain('BEGIN CERTIFICATE');
  expect(readFileSync(path.join(ca, '.gitignore'), 'utf8')).toBe('*\n');
  if (process.platform !== 'win32') expect(statSync(path.join(ca, 'bootstrap-token.key')).mode & 0o777).toBe(0o600);
});

it('no token is made beside a folder that is no CA, and nothing in that folder', async () => {
  const elsewhere = path.join(folder, 'elsewhere');
  const asked = inmesh(['token', '--namespace', 'shop', '--service-account', 'web', '--ca', elsewhere], /^(\S+)\n/);
  await expect(asked).rejects.toThrow(
    /^exit 2 .*--ca: \S+elsewhere has no bootstrap-token\.key; inmesh serve makes it/s,
  );
  expect(existsSync(elsewhere)).toBe(false);
});

it('inmesh run gives its program a token in a file that only its owner can read, and takes it away at the end', async () => {
  const { xds } = await serve();
  const program = path.join(folder, 'program.cjs');
  writeFileSync(program, "console.log('TOKEN ' + process.env.INMESH_TOKEN_FILE); setInterval(() => {}, 1000);");
  const args = [
    'run',
    '--service',
    'web',
    '--port',
    '1',
    '--namespace',
    'shop',
    '--service-account',
    'web',
    '--xds',
    xds,
  ];
  const [, file = ''] = await inmesh([...args, '--', process.execPath, program], /TOKEN (\S+)\n/);
  expect(decodeJwt(readFileSync(file, 'utf8')).sub).toBe('system:serviceaccount:shop:web');
  if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
  [...children].at(-1)?.kill('SIGTERM');
  await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(false);
});

it.each([
  ['90s', 90_000],
  ['15m', 900_000],
  ['1h', 3_600_000],
  ['30d', 2_592_000_000],
])('takes a time of %s', (text, ms) => {
  expect(durationOf(text, '--ttl')).toBe(ms);
});

it.each(['', '0s', '1', '1w', '-1h', '1h30m'])('takes no time of "%s"', (text) => {
  expect(() => durationOf(text, '--ttl')).toThrow(/--ttl: got .*, want 90s, 15m, 1h or 30d/);
});
