import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createXdsServer, memorySource, type XdsServer } from '@inmesh/xds-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin } from './world.ts';

/** What an application's own process sees: started with the variables, left to end by itself. */
interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let origin: Origin;
let server: XdsServer;
let xds: string;

beforeAll(async () => {
  origin = await startOrigin((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 300);
    else response.end(`from ${request.headers['x-who'] ?? 'nobody'}`);
  });
  const http =
    '- match: [{ sourceLabels: { team: blue } }]\n  name: blue\n  route: [{ destination: { host: echo } }]\n- name: rest\n  route: [{ destination: { host: echo } }]';
  const yaml = `${service('echo', { v1: origin.port })}${rules('echo', http)}`;
  const shop = yaml
    .replaceAll(/metadata: \{ name: ([\w-]+) \}/g, 'metadata: { name: $1, namespace: shop }')
    .replaceAll('name: rest', 'name: shop-rest');
  server = createXdsServer({ source: memorySource(`${yaml}---\n${shop}`) });
  ({ xds } = await server.listen({ xds: '127.0.0.1:0' }));
});
afterAll(async () => {
  await server.close();
  await origin.close();
});

function script(code: string, env: Record<string, string> = {}): Promise<Ended> {
  const prelude = "import { createMesh, defaultMesh, meshFetch } from '@inmesh/sdk';\n";
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', prelude + code], {
    env: { PATH: process.env.PATH ?? '', NODE_NO_WARNINGS: '', ...env },
    cwd: import.meta.dirname,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out: out.trim(), err })));
}

const CALL =
  "const r = await meshFetch('http://echo/'); console.log(r.status, r.mesh?.route, r.mesh?.cluster); await r.text();";

describe('a process of its own', () => {
  it('names the control plane by INMESH_XDS and ends by itself, nothing closed', async () => {
    const ended = await script(CALL, { INMESH_XDS: xds });
    expect(ended).toMatchObject({ code: 0, out: '200 rest outbound|80||echo.default.svc.cluster.local' });
    expect(ended.err).toBe('');
  });

  it('ends by itself with answers nobody reads and a mesh nobody closes', async () => {
    const code =
      "createMesh(); const m = createMesh(); await m.ready(); await m.fetch('http://echo/'); m.register({ service: 'me', port: 1 }); console.log('end');";
    expect(await script(code, { INMESH_XDS: xds })).toMatchObject({ code: 0, out: 'end' });
  });

  it('stays alive while a call waits: for its configuration, for its answer, for a body', async () => {
    const code = "const r = await meshFetch('http://echo/slow'); console.log(await r.text());";
    expect(await script(code, { INMESH_XDS: xds })).toMatchObject({ code: 0, out: 'slow' });
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(mute.address() as { port: number }).port}`;
    const waiting =
      "const m = createMesh({ configTimeoutMs: 300 }); const r = await m.fetch('http://echo/'); console.log(r.status, r.mesh.flag);";
    expect(await script(waiting, { INMESH_XDS: address })).toMatchObject({ code: 0, out: '503 NC' });
    mute.close();
  });

  it.each<[string, Record<string, string>, string]>([
    ['INMESH_NAMESPACE', { INMESH_NAMESPACE: 'shop' }, '200 shop-rest outbound|80||echo.shop.svc.cluster.local'],
    ['INMESH_LABELS', { INMESH_LABELS: 'team=blue,x=y' }, '200 blue outbound|80||echo.default.svc.cluster.local'],
  ])('%s', async (_what, env, out) => {
    expect(await script(CALL, { INMESH_XDS: xds, ...env })).toMatchObject({ code: 0, out });
  });

  it('INMESH_WORKLOAD, INMESH_SERVICE_ACCOUNT, INMESH_LOCALITY reach the control plane', async () => {
    const code =
      "await defaultMesh().ready({ hosts: ['echo'] }); console.log('up'); await new Promise((r) => setTimeout(r, 400));";
    const running = script(code, { INMESH_XDS: xds, INMESH_WORKLOAD: 'shopper', INMESH_LOCALITY: 'eu/west/1' });
    let seen: string[] = [];
    while (!seen.includes('shopper')) {
      seen = server.clients().map(({ workload }) => workload);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await running).toMatchObject({ code: 0, out: 'up' });
  });

  it('GRPC_XDS_BOOTSTRAP_CONFIG does as well', async () => {
    const config = JSON.stringify({
      xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }] }],
      node: { id: 'me', metadata: { NAMESPACE: 'shop' } },
    });
    const ended = await script(CALL, { GRPC_XDS_BOOTSTRAP_CONFIG: config });
    expect(ended).toMatchObject({ code: 0, out: '200 shop-rest outbound|80||echo.shop.svc.cluster.local' });
  });

  it('INMESH_LOG=debug prints one line a decision, without query or headers', async () => {
    const code =
      "const r = await meshFetch('http://echo/a?token=secret', { headers: { authorization: 'hidden' } }); await r.text();";
    const { err } = await script(code, { INMESH_XDS: xds, INMESH_LOG: 'debug' });
    expect(err.match(/^inmesh GET http:\/\/echo\/a\?… 200 route rest → outbound\|80\|\|echo.*$/gm)).toHaveLength(1);
    expect(err).not.toMatch(/secret|hidden/);
  });

  it('without a bootstrap meshFetch is fetch, and says so once', async () => {
    const code = `for (const _ of [1, 2]) { const r = await meshFetch('http://127.0.0.1:${origin.port}/'); console.log(r.status, r.mesh, await r.text()); }`;
    const ended = await script(code);
    expect(ended).toMatchObject({ code: 0, out: '200 undefined from nobody\n200 undefined from nobody' });
    expect(ended.err.match(/no control plane/g)).toHaveLength(1);
    expect(ended.err).toContain('INMESH_XDS');
  });

  it('INMESH_REQUIRED=1 makes that MESH_BOOTSTRAP_INVALID, and what cannot be read is one always', async () => {
    const code =
      "await meshFetch('http://echo/').catch((e) => console.log(e.code, e.hint)); try { createMesh(); } catch (e) { console.log(e.code); }";
    const { out } = await script(code, { INMESH_REQUIRED: '1' });
    expect(out).toMatch(/^MESH_BOOTSTRAP_INVALID set INMESH_XDS=host:port .*\nMESH_BOOTSTRAP_INVALID$/);
    const told = async (env: Record<string, string>) =>
      (await script('try { createMesh(); } catch (e) { console.log(e.code, e.message); }', env)).out;
    expect(await told({ INMESH_XDS: 'host:port' })).toMatch(/^MESH_BOOTSTRAP_INVALID .*INMESH_XDS.*host:port/);
    expect(await told({ INMESH_XDS: xds, INMESH_LABELS: 'a' })).toMatch(/^MESH_BOOTSTRAP_INVALID .*INMESH_LABELS/);
  });

  it('INMESH_SNAPSHOT: starts with what it knew while the control plane is away', async () => {
    const { mkdtempSync, rmSync, statSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const path = await import('node:path');
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-snapshot-'));
    const env = { INMESH_SNAPSHOT: path.join(folder, 'mesh.snapshot') };
    const code = `${CALL} await defaultMesh().close();`;
    expect((await script(code, { ...env, INMESH_XDS: xds })).out).toContain('200 rest');
    expect(statSync(env.INMESH_SNAPSHOT).mode & 0o777).toBe(0o600);
    expect((await script(code, { ...env, INMESH_XDS: '127.0.0.1:1' })).out).toContain('200 rest');
    rmSync(folder, { recursive: true });
  });

  it('`await using` closes; a registered service is gone at once', async () => {
    const code =
      "{ await using m = createMesh({ service: { name: 'me', port: 7777 } }); await m.ready({ hosts: ['me:7777'] }); console.log('in'); } console.log('out');";
    expect(await script(code, { INMESH_XDS: xds })).toMatchObject({ code: 0, out: 'in\nout' });
  });
});
