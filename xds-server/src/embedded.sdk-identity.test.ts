import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createMesh, type Mesh, type MeshOptions } from '@inmesh/sdk';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeAll, setUp, until } from './embedded/secure-mesh.fixture.ts';

let folder = '';
const meshes: Mesh[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-sdk-'));
});
afterEach(async () => {
  await Promise.all(meshes.splice(0).map((mesh) => mesh.close()));
  await closeAll();
  rmSync(folder, { recursive: true, force: true });
});

const meshOf = (options: MeshOptions): Mesh => {
  const mesh = createMesh(options, { env: {} });
  meshes.push(mesh);
  return mesh;
};

const rootFile = (roots: readonly string[]): string => {
  const file = path.join(folder, 'root.pem');
  writeFileSync(file, roots.join('\n'));
  return file;
};

const service = { name: 'reviews', port: 9080 };

it('an SDK joins over TLS with a token, registers as whom it proves and has its certificate', async () => {
  const { listening, roots, token, server } = await setUp();
  const identity = { token: await token('shop', 'web'), caRoot: rootFile(roots) };
  const mesh = meshOf({
    xds: `tls://${listening.secure}`,
    identity,
    namespace: 'shop',
    serviceAccount: 'web',
    workload: 'web',
    service,
  });
  await until(() => server.workload('shop', 'web')?.serviceAccount).toBe('web');
  expect((await mesh.identity())?.id).toBe('spiffe://cluster.local/ns/shop/sa/web');
});

it('an SDK joins in plain text on this machine with a token, and without one as nobody', async () => {
  const { listening, token, server } = await setUp();
  const identity = { token: await token('shop', 'web') };
  const proven = meshOf({
    xds: listening.xds,
    identity,
    namespace: 'shop',
    serviceAccount: 'web',
    workload: 'web',
    service,
  });
  meshOf({ xds: listening.xds, namespace: 'shop', serviceAccount: 'web', workload: 'nobody', service });
  await until(() => server.workload('shop', 'web')?.serviceAccount).toBe('web');
  await until(() => server.workload('shop', 'nobody')).toBeDefined();
  expect(server.workload('shop', 'nobody')).not.toHaveProperty('serviceAccount');
  expect((await proven.identity())?.id).toBe('spiffe://cluster.local/ns/shop/sa/web');
});

it('an SDK in the same process is the workload its transport names, without a port or a file', async () => {
  const { server } = await setUp();
  const transport = server.transport({ namespace: 'shop', serviceAccount: 'web' });
  const mesh = meshOf({ transport, namespace: 'shop', serviceAccount: 'web', workload: 'web', service });
  expect((await mesh.identity())?.id).toBe('spiffe://cluster.local/ns/shop/sa/web');
  await until(() => server.workload('shop', 'web')?.serviceAccount).toBe('web');
  expect(() => server.transport({ namespace: 'a/b' })).toThrow(/namespace: got "a\/b"/);
});

it('an SDK outlives its token: it comes back with the next one in its file', async () => {
  const { listening, roots, token, server } = await setUp();
  const tokenFile = path.join(folder, 'token');
  writeFileSync(tokenFile, await token('shop', 'web', 3_000));
  const identity = { tokenFile, caRoot: rootFile(roots) };
  meshOf({
    xds: `tls://${listening.secure}`,
    identity,
    namespace: 'shop',
    serviceAccount: 'web',
    workload: 'web',
    service,
  });
  await until(() => server.workload('shop', 'web')).toBeDefined();
  writeFileSync(tokenFile, await token('shop', 'web'));
  // The stream of the first one ends by then.
  const overMs = Date.now() + 4_000;
  await until(() => Date.now() > overMs && server.clients().length === 1).toBe(true);
  expect(server.workload('shop', 'web')?.serviceAccount).toBe('web');
});
