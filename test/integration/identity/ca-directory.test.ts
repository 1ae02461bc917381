import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../../sdk/src/index.ts';
import { peerOf as callerOf, guard } from '../../../sdk/src/server/index.ts';
import { peerOf, textOf } from '../../../xds-server/src/embedded/secure-peer.fixture.ts';
import { SECRET_TYPE } from '../../../xds-server/src/translate/resource-types.ts';
import { idOf, keepCalling, REVIEWS, STRICT, until } from './secure-mesh.fixture.ts';

/** The commands that change a CA's directory, beside a running `inmesh serve` with it: processes of their own, as an operator has them. */

const BIN = fileURLToPath(new URL('../../../xds-server/bin/inmesh.mjs', import.meta.url));

let folder = '';
const closers: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-directory-'));
  writeFileSync(path.join(folder, 'mesh.yaml'), STRICT);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves with what it printed, when that matches. */
function inmesh(args: readonly string[], pattern: RegExp): Promise<RegExpExecArray> {
  const child: ChildProcess = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: folder,
  });
  closers.push(() => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const found = pattern.exec(out);
      if (found !== null) resolve(found);
    });
    child.once('close', (code) => reject(new Error(`exit ${code} without printing ${pattern}: ${out}`)));
  });
}

const rootsIn = (pem: string): readonly string[] =>
  pem.split(/(?=-----BEGIN)/).filter((one) => one.includes('BEGIN CERTIFICATE'));
const issuerOf = (leaf: string, roots: readonly string[]): number =>
  roots.findIndex((root) => new X509Certificate(leaf).verify(new X509Certificate(root).publicKey));

it('inmesh ca rotate --now and revoke are taken up by the server and pushed to its clients; no call fails', {
  timeout: 180_000,
}, async () => {
  const ports = ['--xds', '127.0.0.1:0', '--secure', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const [, secure = ''] = await inmesh(['serve', '--config', folder, ...ports], /TLS {4}(\S+), its CA/);
  const directory = path.join(folder, '.inmesh/ca');
  const rootsFile = path.join(directory, 'root-cert.pem');
  const before = rootsIn(readFileSync(rootsFile, 'utf8'));
  const tokenOf = async (account: string): Promise<string> =>
    (await inmesh(['token', '--namespace', 'shop', '--service-account', account], /^(\S+)\n/))[1] ?? '';
  const meshOf = async (account: string): Promise<Mesh> => {
    const token = await tokenOf(account);
    const mesh = createMesh(
      { xds: `tls://${secure}`, workload: account, identity: { token, caRoot: rootsFile } },
      { env: {} },
    );
    closers.push(() => mesh.close());
    return mesh;
  };
  const [web, reviews] = [await meshOf('web'), await meshOf('reviews')];
  const app = createServer((request, response) => response.end(callerOf(request)?.id));
  const guarded = guard(app, { mesh: reviews, service: 'reviews', host: '127.0.0.1' });
  closers.push(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(0);
  await web.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
  expect(await (await web.fetch(REVIEWS)).text()).toBe(idOf('web'));

  const gateway = peerOf(secure, { roots: before, token: await tokenOf('gateway') });
  closers.push(() => gateway.close());
  const envoy = gateway.stream({ id: 'gateway', userAgentName: 'envoy' });
  envoy.ask(SECRET_TYPE, 'ROOTCA', 'default');
  const trusted = () => {
    const { type } = envoy.secrets.get('ROOTCA') ?? {};
    if (type?.case !== 'validationContext') return { roots: [], crl: '' };
    return { roots: rootsIn(textOf(type.value.trustedCa)), crl: textOf(type.value.crl) };
  };
  await until(() => trusted().roots.length).toBe(1);
  const calling = keepCalling(web, { callers: 2, pauseMs: 20 });

  await inmesh(['ca', 'rotate', '--now'], /self-signed CA/);
  await until(() => trusted().roots.length).toBe(2);
  // All of them before the next step: the SDK has them by the same push.
  const { chain } = await gateway.certificate();
  expect(issuerOf(chain, before)).toBe(-1);
  expect(issuerOf(chain, trusted().roots)).toBeGreaterThanOrEqual(0);
  const late = await meshOf('late');
  await late.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
  await until(async () => (await late.fetch(REVIEWS)).text()).toBe(idOf('late'));

  const file = path.join(folder, 'revoked.pem');
  writeFileSync(file, chain);
  await inmesh(['ca', 'revoke', file], /revoked {2}1 certificate/);
  await until(() => trusted().crl).toMatch(/BEGIN X509 CRL/);
  await calling.end();
  expect(calling.wrong).toEqual([]);
  expect(calling.count()).toBeGreaterThan(20);
});
