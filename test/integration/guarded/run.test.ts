import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createMesh } from '../../../sdk/src/index.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { memorySource } from '../../../xds-server/src/source/memory.ts';
import { freePort } from '../../interop/envoy-policy/free-port.ts';

/** Programs under `inmesh run`, as processes of their own: the launcher registers them, and so does a guarded server. */

const BIN = fileURLToPath(new URL('../../../xds-server/bin/inmesh.mjs', import.meta.url));

const yaml = (mode: string): string => `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: ${mode} } }
`;

const GUARDED = `
import { createServer } from 'node:http';
import { guard, peerOf } from '@inmesh/sdk/server';
const app = createServer((request, response) => response.end(String(peerOf(request)?.id)));
await guard(app, { service: 'reviews' }).listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
`;
const PLAIN = `
import { createServer } from 'node:http';
createServer((_, response) => response.end('plain')).listen(Number(process.env.PORT), '127.0.0.1');
`;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(mode: string, program: string) {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-run-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const directory = path.join(folder, 'ca');
  const server = createXdsServer({ source: memorySource(yaml(mode)), ca: { directory } });
  closers.push(() => server.close());
  const { xds, admin } = await server.listen({ xds: '127.0.0.1:0', admin: '127.0.0.1:0' });
  const rootsFile = path.join(folder, 'roots.pem');
  writeFileSync(rootsFile, (await server.roots()).join('\n'));
  const port = await freePort();
  const joined: string[] = [];
  server.onChange((line) => joined.push(line));
  const says = ['--service', 'reviews', '--port', String(port), '--namespace', 'shop', '--service-account', 'reviews'];
  const command = [process.execPath, '--conditions=source', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, [BIN, 'run', ...says, '--xds', xds, '--ca', directory, '--', ...command], {
    cwd: import.meta.dirname,
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  closers.push(() => ended(child));
  const web = createMesh(
    {
      xds,
      workload: 'web',
      namespace: 'shop',
      identity: { token: await server.token({ namespace: 'shop', serviceAccount: 'web' }) },
    },
    { env: {} },
  );
  closers.push(() => web.close());
  return { web, joined, port, admin };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve()).kill('SIGTERM');
  });
}

const slow = { timeout: 120_000 };
const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 50 });

/** Of the service, as `web` is sent them. */
async function endpoints(admin: string): Promise<readonly unknown[]> {
  const dump = async (page: string): Promise<string> => (await fetch(`http://${admin}${page}`)).text();
  const clients = JSON.parse(await dump('/clients')) as readonly { readonly id: string }[];
  const web = clients.find(({ id }) => id.includes('web'))?.id ?? '';
  const text = await dump(`/config_dump?client=${encodeURIComponent(web)}`);
  const found: { port: number; isMutual: boolean }[] = [];
  JSON.parse(text, (key, value: unknown) => {
    if (key === 'lbEndpoints' && Array.isArray(value))
      for (const endpoint of value) {
        const [, number = ''] = /"portValue":(\d+)/.exec(JSON.stringify(endpoint)) ?? [];
        found.push({ port: Number(number), isMutual: JSON.stringify(endpoint).includes('"tlsMode":"istio"') });
      }
    return value;
  });
  return found;
}

/** Registrations that are there, by what the control plane says of each. */
const registered = (joined: readonly string[]): number => joined.filter((line) => line.includes('reviews')).length;

it('a program that guards its own server is called over mutual TLS: its word of its port counts', slow, async () => {
  const { web, joined, port, admin } = await start('STRICT', GUARDED);
  await until(() => registered(joined)).toBeGreaterThan(1);
  await until(async () => (await web.fetch('http://reviews.shop:9080/')).status).toBe(200);
  // Both of them are known by now: neither order of theirs makes a difference.
  for (let times = 0; times < 5; times++) {
    const answer = await web.fetch('http://reviews.shop:9080/');
    expect([answer.status, await answer.text()]).toEqual([200, 'spiffe://cluster.local/ns/shop/sa/web']);
  }
  expect(await endpoints(admin)).toEqual([{ port, isMutual: true }]);
});

it('a plain program stays plain', slow, async () => {
  const { web, port, admin } = await start('PERMISSIVE', PLAIN);
  await until(async () => (await web.fetch('http://reviews.shop:9080/')).status).toBe(200);
  expect(await (await web.fetch('http://reviews.shop:9080/')).text()).toBe('plain');
  expect(await endpoints(admin)).toEqual([{ port, isMutual: false }]);
});
