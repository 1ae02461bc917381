import { spawnSync } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { assignment, CLUSTER, startOrigin, startTestMesh } from '../../test/harness/test-mesh.ts';
import { cluster, routes, toCluster } from '../../test/harness/xds-resources.ts';
import { createMesh, defaultMesh } from './mesh.ts';
import type { MeshEvent } from './model/events.ts';
import { propagate } from './propagation/propagate.ts';

const SDK = path.dirname(fileURLToPath(import.meta.url));

/** Runs a program that imports the package, as an application would. */
function run(program: string, env: Record<string, string> = {}) {
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: SDK,
    env,
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status, stdout, stderr };
}

const IMPORT = `import { createMesh, defaultMesh, meshFetch } from ${JSON.stringify(path.join(SDK, 'index.ts'))};`;

describe('a mesh', () => {
  it('follows the control plane: endpoints and routes change under living calls', async () => {
    const second = await startOrigin((_request, response) => response.end('second'));
    await using test = await startTestMesh((_request, response) => response.end('first'));
    const answer = async () => (await test.mesh.fetch(test.url)).text();
    expect(await answer()).toBe('first');
    const swapped = new Promise<void>((resolve) => test.mesh.on(({ kind }) => kind === 'config-swapped' && resolve()));
    test.ads.set(CLUSTER, assignment(CLUSTER, second.port));
    await swapped;
    expect(await answer()).toBe('second');
    await second.close();
  });

  it('tells which hosts are ejected, and brings one back when told to', async () => {
    await using test = await startTestMesh((_request, response) => response.writeHead(503).end());
    const outlierDetection = { consecutive5xx: 2, maxEjectionPercent: 100 };
    const commonLbConfig = { healthyPanicThreshold: { value: 0 } };
    test.ads.set(CLUSTER, cluster(CLUSTER, { outlierDetection, commonLbConfig }));
    await vi.waitFor(async () => {
      await (await test.mesh.fetch(test.url)).text();
      expect(test.mesh.ejections()).toMatchObject([{ isEjected: true, reason: 'consecutive-5xx', count: 1 }]);
    });
    const events: MeshEvent[] = [];
    test.mesh.on((event) => events.push(event));
    expect((await test.mesh.fetch(test.url)).mesh?.flag).toBe('UH');
    const metrics = await test.mesh.metrics();
    expect(metrics).toContain(`inmesh_ejections_total{cluster="${CLUSTER}",reason="consecutive-5xx"} 1`);
    expect(metrics).toContain(`inmesh_ejected_hosts{cluster="${CLUSTER}"} 1`);
    for (const ejection of test.mesh.ejections()) expect(test.mesh.uneject(ejection)).toBe(true);
    expect((await test.mesh.fetch(test.url)).mesh?.local).toBe(false);
    expect(events.map(({ kind }) => kind)).toContain('unejected');
  });

  it('a process that stood still ejects nobody for what came late', async () => {
    await using test = await startTestMesh((_request, response) => setTimeout(() => response.end(), 50));
    const outlierDetection = { consecutive5xx: 1, maxEjectionPercent: 100 };
    test.ads.set(CLUSTER, cluster(CLUSTER, { outlierDetection }));
    await (await test.mesh.fetch(test.url)).text();
    const answers = [1, 2, 3].map(() => test.mesh.fetch(test.url, { mesh: { timeoutMs: 200 } }));
    await new Promise((resolve) => setImmediate(resolve));
    for (const until = performance.now() + 600; performance.now() < until; );
    expect((await Promise.all(answers)).map(({ status }) => status)).toContain(504);
    expect(test.mesh.ejections()).toEqual([]);
  });

  it("hands propagated headers to hosts of the mesh alone, never over the caller's", async () => {
    await using test = await startTestMesh((request, response) =>
      response.end(`${request.headers.b3} ${request.headers.baggage}`),
    );
    const outside = await startOrigin((request, response) => response.end(String(request.headers.b3)));
    const call = async (url: string, headers?: Record<string, string>) =>
      (await test.mesh.fetch(url, headers ? { headers } : {})).text();
    const answers = await new Promise<Promise<string[]>>((resolve) =>
      propagate()({ headers: { b3: 'in', baggage: 'bag' } }, undefined, () =>
        resolve(
          Promise.all([call(test.url), call(test.url, { b3: 'mine' }), call(`http://localhost:${outside.port}`)]),
        ),
      ),
    );
    expect(answers).toEqual(['in bag', 'mine bag', 'undefined']);
    await outside.close();
  });

  it('registers what the bootstrap and the application say, and takes it back on close', async () => {
    const test = await startTestMesh((_request, response) => response.end(), {
      service: { name: 'web', port: 80, version: 'v1' },
    });
    test.mesh.register({ service: 'admin', port: 81, labels: { a: 'b' }, address: '10.0.0.9' });
    await test.mesh.ready();
    await new Promise((resolve) => setImmediate(resolve));
    expect(test.ads.metadata().INMESH_REGISTER).toEqual([
      { service: 'web', port: 80, version: 'v1' },
      { service: 'admin', port: 81, labels: { a: 'b' }, address: '10.0.0.9' },
    ]);
    await test[Symbol.asyncDispose]();
    expect(test.ads.metadata().INMESH_REGISTER).toEqual([]);
  });

  it('answers NC after it was closed', async () => {
    const test = await startTestMesh((_request, response) => response.end());
    await test[Symbol.asyncDispose]();
    await test.mesh.close();
    expect(await test.mesh.fetch(test.url)).toMatchObject({ status: 503, mesh: { flag: 'NC' } });
  });

  it('publishes its events on diagnostics channels', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const seen: unknown[] = [];
    const listener = (event: unknown) => void seen.push(event);
    diagnostics.subscribe('mesh:call', listener);
    await (await test.mesh.fetch(test.url)).text();
    diagnostics.unsubscribe('mesh:call', listener);
    expect(seen).toMatchObject([{ kind: 'call', status: 200 }]);
  });

  it('goes on when a listener throws', async () => {
    await using test = await startTestMesh((_request, response) => response.end('x'));
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const seen: MeshEvent[] = [];
    test.mesh.on(() => {
      throw new Error('of the listener');
    });
    test.mesh.on((event) => seen.push(event));
    expect(await (await test.mesh.fetch(test.url)).text()).toBe('x');
    expect(await warned).toMatchObject({ message: 'of the listener' });
    expect(seen.some(({ kind }) => kind === 'call')).toBe(true);
  });
});

describe('ready', () => {
  it('resolves when the stream stands and every host is warm', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await test.mesh.ready();
    await test.mesh.ready({ hosts: ['reviews:9080', 'http://reviews:9080/x'] });
  });

  it('waits for a host that the control plane learns of later', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const missing = new Promise<void>((resolve) => test.mesh.on(({ kind }) => kind === 'config-missing' && resolve()));
    const ready = test.mesh.ready({ hosts: ['ratings:9080'] });
    await missing;
    test.host('ratings:9080', test.origin.port);
    await ready;
  });

  it('rejects naming what is missing', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const call = test.mesh.ready({ hosts: ['reviews:9080', 'nobody:1'], timeoutMs: 50 });
    await expect(call).rejects.toMatchObject({ code: 'MESH_NOT_READY', message: expect.stringContaining('nobody:1') });
    test.ads.silent = true;
    const mesh = createMesh({ transport: test.ads.transport }, { env: {} });
    await expect(mesh.ready({ timeoutMs: 20 })).rejects.toThrow('the control plane in-process has not answered');
    await mesh.close();
  });
});

describe('explain', () => {
  it('gives the rules, the split and the endpoints of the cluster the number chose', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const weighted = (name: string, weight: number) => ({ name, weight });
    test.ads.set(
      CLUSTER,
      routes(
        CLUSTER,
        { ...toCluster('x', '/only'), name: 'only' },
        {
          name: 'split',
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: {
            case: 'route',
            value: {
              timeout: { seconds: 2n },
              clusterSpecifier: {
                case: 'weightedClusters',
                value: { clusters: [weighted('gone', 10), weighted(CLUSTER, 90)] },
              },
            },
          },
        },
      ),
    );
    const explanation = await test.mesh.explain({ url: `${test.url}/a`, headers: { 'End-User': 'jason' }, random: 50 });
    expect(explanation).toMatchObject({
      request: { method: 'GET', url: `${test.url}/a`, headers: { 'end-user': 'jason' }, random: 50 },
      virtualHost: 'host',
      considered: [{ matched: false }, { matched: true }],
      route: 'split',
      source: null,
      cluster: CLUSTER,
      split: [
        { cluster: 'gone', weight: 10, range: [0, 9] },
        { cluster: CLUSTER, weight: 90, range: [10, 99] },
      ],
      endpoints: [{ address: `127.0.0.1:${test.origin.port}`, locality: 'r', priority: 0, state: 'healthy' }],
      timeoutMs: 2_000,
      retries: { calls: 1, on: [] },
    });
    const other = await test.mesh.explain({ url: `${test.url}/a`, random: 5 });
    expect(other).toMatchObject({ cluster: 'gone', endpoints: [] });
    expect(other.notes[0]).toMatch(/503 \(NC\)/);
  });

  it('says what becomes of a host it does not know', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const { notes, virtualHost } = await test.mesh.explain({ url: 'http://elsewhere.example/' });
    expect(virtualHost).toBeNull();
    expect(notes[0]).toContain('sent as written (PassthroughCluster)');
  });

  it('refuses what is no request', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await expect(test.mesh.explain({ url: 'ftp://x' })).rejects.toMatchObject({ code: 'MESH_CONFIG_INVALID' });
    await expect(test.mesh.explain({ url: test.url, random: -1 })).rejects.toThrow('random is -1');
  });
});

describe('without a control plane', () => {
  it("meshFetch is the platform's fetch, and says so once", () => {
    const { status, stdout, stderr } = run(
      `${IMPORT} for (const x of [1, 2]) console.log(await (await meshFetch('data:,' + x)).text());
       console.log(defaultMesh() === defaultMesh(), await defaultMesh().ready());`,
    );
    expect(stdout).toBe('1\n2\ntrue undefined\n');
    expect(stderr.match(/calls go out as written/g)).toHaveLength(1);
    expect(status).toBe(0);
  });

  it('INMESH_REQUIRED makes it MESH_BOOTSTRAP_INVALID', () => {
    const { stdout } = run(`${IMPORT} await meshFetch('data:,x').catch((error) => console.log(error.code));`, {
      INMESH_REQUIRED: '1',
    });
    expect(stdout).toBe('MESH_BOOTSTRAP_INVALID\n');
  });

  it('--import register leaves the platform to itself', () => {
    const { stdout, status } = run("console.log(await (await fetch('data:,x')).text());", {
      NODE_OPTIONS: `--import=${path.join(SDK, 'register.ts')}`,
    });
    expect([status, stdout]).toEqual([0, 'x\n']);
  });

  it('the default mesh is one for all copies of the package', async () => {
    const mesh = defaultMesh();
    expect((globalThis as Record<symbol, unknown>)[Symbol.for('inmesh.mesh.1')]).toBe(mesh);
    await mesh.close();
    expect(defaultMesh()).not.toBe(mesh);
    await defaultMesh().close();
  });
});

describe('the process', () => {
  it('ends by itself once nothing is pending, with the mesh left open', () => {
    const { status, stdout } = run(
      `${IMPORT} import { createStaticAds } from ${JSON.stringify(path.join(SDK, '../../test/harness/static-ads.ts'))};
       const mesh = createMesh({ transport: createStaticAds().transport, service: { name: 'a', port: 1 } });
       await mesh.ready(); console.log('ready');`,
    );
    expect([status, stdout]).toEqual([0, 'ready\n']);
  });

  it('stays while a call waits for a control plane that is not there, and then ends', () => {
    const { status, stdout } = run(
      `${IMPORT} const mesh = createMesh({ configTimeoutMs: 100 });
       const response = await mesh.fetch('http://reviews/'); console.log(response.status, response.mesh.flag);`,
      { INMESH_XDS: '127.0.0.1:9' },
    );
    expect([status, stdout]).toEqual([0, '503 NC\n']);
  });

  it('gives the connection of a large response back that was forgotten unread', () => {
    const { status, stdout, stderr } = run(
      `${IMPORT} import { startTestMesh } from ${JSON.stringify(path.join(SDK, '../../test/harness/test-mesh.ts'))};
       import { setFlagsFromString } from 'node:v8'; setFlagsFromString('--expose-gc');
       const { runInNewContext } = await import('node:vm'); const gc = runInNewContext('gc');
       const test = await startTestMesh((_request, response) => response.end(Buffer.alloc(10_000_000)));
       const statuses = []; const call = async () => void statuses.push((await test.mesh.fetch(test.url)).status);
       await call();
       const { socket } = test.origin.requests[0];
       while (!socket.destroyed) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
       console.log(statuses.join()); process.exit();`,
    );
    expect([status, stdout, stderr]).toEqual([0, '200\n', '']);
  });

  it('prints one line a decision with INMESH_LOG=debug', () => {
    const { stderr } = run(`${IMPORT} await createMesh({ configTimeoutMs: 50 }).fetch('http://reviews/a?secret=1');`, {
      INMESH_XDS: '127.0.0.1:9',
      INMESH_LOG: 'debug',
    });
    expect(stderr).toMatch(/inmesh GET http:\/\/reviews\/a\?… 503 flag NC answered here/);
    expect(stderr).not.toContain('secret');
  });
});
