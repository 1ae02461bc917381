import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Real processes and sockets: `inmesh serve` as a child, three versions of a service, one caller. */
const BIN = fileURLToPath(new URL('../../xds-server/bin/inmesh.mjs', import.meta.url));
const VERSIONS = ['v1', 'v2', 'v3'];
const REQUESTS = 10_000;
const EDIT_EVERY_MS = 200;

const subset = (name: string, label: string) => `    - name: ${name}\n      labels: { version: ${label} }\n`;

/** A new subset name each time, so that routes and clusters change together. */
function rules(edit: number, weights: readonly number[]): string {
  const names = VERSIONS.map((version) => `${version}-${edit % 3}`);
  return `apiVersion: v1
kind: Service
metadata: { name: echo }
spec:
  ports: [{ name: http, port: 8080 }]
  selector: { app: echo }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  subsets:
${names.map((name, index) => subset(name, VERSIONS[index] ?? '')).join('')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http:
    - route:
${names.map((name, index) => `        - { destination: { host: echo, subset: ${name} }, weight: ${weights[index]} }\n`).join('')}`;
}

function edit(folder: string, text: string): void {
  const fresh = path.join(folder, '.mesh.tmp');
  writeFileSync(fresh, text);
  renameSync(fresh, path.join(folder, 'mesh.yaml'));
}

/** Starts the control plane and resolves to the address it printed. */
function serve(folder: string, xds: string): Promise<{ child: ChildProcess; xds: string }> {
  const child = spawn(process.execPath, [BIN, 'serve', '--config', folder, '--xds', xds, '--admin', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
      const address = /INMESH_XDS=(\S+)/.exec(text)?.[1];
      if (address) resolve({ child, xds: address });
    });
    child.once('exit', (code) => reject(new Error(`inmesh serve exited with ${code}: ${text}`)));
  });
}

const kill = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((gone) => {
    child.once('exit', () => gone());
    child.kill(signal);
  });

describe('a live mesh', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-live-'));
  const servers: Server[] = [];
  const meshes: Mesh[] = [];
  let control: { child: ChildProcess; xds: string };
  let mesh: Mesh;

  beforeAll(async () => {
    edit(folder, rules(0, [100, 0, 0]));
    control = await serve(folder, '127.0.0.1:0');
    for (const version of VERSIONS) {
      const server = createServer((_request, response) => response.end(version));
      server.keepAliveTimeout = 75_000;
      await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
      const member = createMesh({ xds: control.xds, workload: `echo-${version}` });
      const { port } = server.address() as AddressInfo;
      member.register({ service: 'echo', port, version, labels: { app: 'echo', version } });
      servers.push(server);
      meshes.push(member);
    }
    mesh = createMesh({ xds: control.xds, workload: 'caller' });
    meshes.push(mesh);
    await mesh.ready({ hosts: ['echo:8080'], timeoutMs: 10_000 });
    while ((await ask()).body !== 'v1') await sleep(50);
  }, 60_000);

  afterAll(async () => {
    for (const member of meshes) await member.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await kill(control.child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });

  async function ask(): Promise<{ status: number; body: string }> {
    const response = await mesh.fetch('http://echo:8080/');
    return { status: response.status, body: await response.text() };
  }

  /** Calls at `concurrency` until `done` says so; gives the failures and the counts by answer. */
  async function traffic(
    done: (made: number) => boolean,
  ): Promise<{ failures: string[]; counts: Map<string, number> }> {
    const failures: string[] = [];
    const counts = new Map<string, number>();
    let made = 0;
    const caller = async () => {
      while (!done(made++)) {
        try {
          const { status, body } = await ask();
          if (status !== 200) failures.push(`${status} ${body}`);
          else counts.set(body, (counts.get(body) ?? 0) + 1);
          await sleep(5);
        } catch (error) {
          failures.push(String(error));
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    return { failures, counts };
  }

  it(`${REQUESTS} requests while weights and subsets are edited every ${EDIT_EVERY_MS} ms: none fails`, async () => {
    let edits = 0;
    const editing = setInterval(() => {
      edits++;
      edit(folder, rules(edits, [34 + (edits % 30), 33, 33 - (edits % 30)]));
    }, EDIT_EVERY_MS);
    const { failures, counts } = await traffic((made) => made >= REQUESTS);
    clearInterval(editing);
    expect(failures).toEqual([]);
    expect(edits).toBeGreaterThan(3);
    expect([...counts.keys()].sort()).toEqual(VERSIONS);
  }, 120_000);

  it('the control plane is killed and comes back: no call fails, and later edits arrive', async () => {
    edit(folder, rules(0, [100, 0, 0]));
    while ((await ask()).body !== 'v1') await sleep(20);
    let over = false;
    const running = traffic(() => over);
    await kill(control.child, 'SIGKILL');
    await sleep(1_000);
    control = await serve(folder, control.xds);
    await sleep(500);
    edit(folder, rules(1, [0, 0, 100]));
    for (let quiet = 0; quiet < 20; quiet = (await ask()).body === 'v3' ? quiet + 1 : 0) await sleep(20);
    over = true;
    expect((await running).failures).toEqual([]);
  }, 60_000);
});
