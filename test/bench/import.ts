import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createMesh } from '@inmesh/sdk';
import { guard } from '@inmesh/sdk/server';
import { createXdsServer, memorySource, type XdsServer } from '@inmesh/xds-server';
import { oneHost } from '../harness/one-host.ts';
import { rawMethod } from '../harness/raw-method.ts';
import { installSdk } from './built.ts';
import { spread } from './interleave.ts';
import { startOrigin } from './origin.ts';
import type { BenchRow } from './run.ts';

const ROUNDS = 9;
const BARE = 'bare Node';
const SECURE = 'first routed request with a certificate of the CA and mTLS';

const REPORT = `
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rssMb: process.memoryUsage().rss / 1048576 }));
process.exit();`;

/** What is loaded, and the first call through it; undici and grpc-js without a mesh show the scale. */
const PROGRAMS: Readonly<Record<string, string>> = {
  [BARE]: '',
  'import @inmesh/sdk': "import '@inmesh/sdk';",
  'import undici': "import 'undici';",
  'import @grpc/grpc-js': "import '@grpc/grpc-js';",
  'first routed request of meshFetch': `import { meshFetch } from '@inmesh/sdk';
    const response = await meshFetch('http://ratings.example/');
    if (!response.ok || response.mesh === undefined) throw new Error('answered ' + response.status);
    await response.json();`,
  [SECURE]: `import { createMesh } from '@inmesh/sdk';
    const mesh = createMesh({ xds: process.env.SECURE, identity: { token: process.env.TOKEN, caRoot: process.env.ROOTS } });
    const response = await mesh.fetch('http://secure:9443/');
    const { peer } = await response.json();
    if (peer !== 'spiffe://cluster.local/ns/default/sa/bench') throw new Error('the server saw ' + peer);`,
  'first fetch of undici': "import { fetch } from 'undici'; await (await fetch(process.env.ORIGIN)).json();",
  'first unary call of @grpc/grpc-js': `import { Client, credentials } from '@grpc/grpc-js';
    const client = new Client(process.env.GRPC, credentials.createInsecure());
    const same = (bytes) => bytes;
    await new Promise((resolve, reject) =>
      client.makeUnaryRequest('/bench.Echo/Echo', same, same, Buffer.from('x'), (error) => (error ? reject(error) : resolve())));`,
};

const ECHO = { echo: rawMethod('/bench.Echo/Echo') };

async function startEcho(): Promise<{ readonly port: number; close(): void }> {
  const server = new Server();
  server.addService(ECHO, {
    echo: (call: { request: Buffer }, answer: (error: null, reply: Buffer) => void) => answer(null, call.request),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

const STRICT = `
apiVersion: v1
kind: Service
metadata: { name: secure, namespace: default }
spec: { ports: [{ name: http, port: 9443 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

/** A server that takes nothing but mutual TLS, and says who asked. */
async function startSecure(server: XdsServer) {
  const transport = server.transport({ namespace: 'default', serviceAccount: 'secure' });
  const mesh = createMesh({ transport, workload: 'secure', serviceAccount: 'secure' }, { env: {} });
  const app = createServer((request, response) => {
    const peer = /URI=([^;]+)/.exec(String(request.headers['x-forwarded-client-cert']))?.[1];
    response.end(JSON.stringify({ peer }));
  });
  const guarded = guard(app, { mesh, service: 'secure' });
  await guarded.listen({ port: 0, host: '127.0.0.1' });
  return {
    async close() {
      await guarded.close({ graceMs: 0 });
      await mesh.close();
    },
  };
}

interface Cost {
  readonly cpuMs: number;
  readonly rssMb: number;
}

async function run(program: string, cwd: string, env: Record<string, string>): Promise<Cost> {
  const args = ['--input-type=module', '-e', program + REPORT];
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(printed) as Cost;
}

export async function bench(): Promise<BenchRow[]> {
  const built = await installSdk(['@grpc/grpc-js']);
  const origin = await startOrigin();
  const echo = await startEcho();
  const server = createXdsServer({ source: memorySource(`${oneHost(origin.port)}---\n${STRICT}`) });
  const { xds, secure } = await server.listen({ xds: '127.0.0.1:0', secure: '127.0.0.1:0' });
  const guarded = await startSecure(server);
  const roots = path.join(built.folder, 'roots.pem');
  writeFileSync(roots, (await server.roots()).join('\n'));
  const local = (port: number): string => `127.0.0.1:${port}`;
  const env = {
    INMESH_XDS: xds,
    INMESH_REQUIRED: '1',
    ORIGIN: `http://${local(origin.port)}/`,
    GRPC: local(echo.port),
    SECURE: `tls://${secure}`,
    TOKEN: await server.token({ namespace: 'default', serviceAccount: 'bench' }),
    ROOTS: roots,
  };
  const costs = new Map(Object.keys(PROGRAMS).map((name) => [name, [] as Cost[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, program] of Object.entries(PROGRAMS))
      costs.get(name)?.push(await run(program, built.folder, env));
  }
  await guarded.close();
  await server.close();
  echo.close();
  await origin.close();
  built.remove();
  return [...costs].map(([name, runs]) => row(name, runs, costs.get(BARE) ?? []));
}

/** CPU time and resident memory over an empty program's, run beside it. */
function row(name: string, runs: readonly Cost[], bare: readonly Cost[]): BenchRow {
  const over = (what: keyof Cost) =>
    spread(runs.map((cost, round) => cost[what] - (name === BARE ? 0 : (bare[round]?.[what] ?? 0))));
  const [cpu, rss] = [over('cpuMs'), over('rssMb')];
  return {
    name: name === BARE ? BARE : `${name}, over bare Node`,
    value: cpu.median,
    unit: 'ms CPU',
    note: `${cpu.min.toFixed(0)} to ${cpu.max.toFixed(0)} ms; ${rss.median.toFixed(1)} MB RSS`,
  };
}
