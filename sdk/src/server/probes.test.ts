import { createServer } from 'node:http';
import net from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createProbes } from './probes.ts';
import { ask, fate, plain, secure, startGuarded } from './server.fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0).reverse()) await close();
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Opens on the next turns: asked until it answers. */
async function get(port: number, path: string) {
  const answer = async () => ask(await plain(port), { path, headers: { connection: 'close' } });
  return expect.poll(answer, { timeout: 10_000 }).toBeDefined().then(answer);
}

describe('under STRICT', () => {
  it('readiness and metrics have ports of their own, in plain', async () => {
    const health = { port: await freePort(), host: '127.0.0.1' };
    const metrics = { port: await freePort(), host: '127.0.0.1' };
    const setting = await startGuarded(
      createServer((_, response) => response.end('ok')),
      'STRICT',
      { health, metrics },
    );
    closers.push(() => setting.guarded.close({ graceMs: 0 }));
    expect(await get(health.port, '/healthz/ready')).toMatchObject({ status: 200, text: 'ready\n' });
    expect((await get(health.port, '/metrics')).status).toBe(404);
    expect(await get(metrics.port, '/metrics')).toMatchObject({ status: 200, text: 'inmesh_test 1\n' });
    expect((await get(metrics.port, '/stats/prometheus')).status).toBe(200);
    expect((await ask(await plain(metrics.port), { method: 'POST' })).status).toBe(405);
    setting.identity.set(undefined);
    expect(await get(health.port, '/healthz/ready')).toMatchObject({ status: 503, text: 'no identity\n' });
  });

  it("the kubelet's probes, as Istio rewrites them, reach the application", async () => {
    const other = createServer((request, response) => {
      response.writeHead(request.headers['x-probe'] === 'yes' ? 204 : 500).end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    closers.push(() => other.close());
    const otherPort = (other.address() as net.AddressInfo).port;
    const metrics = { port: await freePort(), host: '127.0.0.1' };
    vi.stubEnv(
      'ISTIO_KUBE_APP_PROBERS',
      JSON.stringify({
        '/app-health/app/startupz': { tcpSocket: { port: otherPort } },
        '/app-health/side/readyz': {
          httpGet: { path: 'up', port: otherPort, httpHeaders: [{ name: 'X-Probe', value: 'yes' }] },
        },
        '/app-health/side/livez': { tcpSocket: { port: await freePort() } },
        '/app-health/side/startupz': { grpc: { port: 1 } },
      }),
    );
    const asked: string[] = [];
    const app = createServer((request, response) => {
      asked.push(`${request.url} ${request.headers['x-forwarded-client-cert']}`);
      response.writeHead(request.url === '/ready' ? 200 : 503).end();
    });
    const setting = await startGuarded(app, 'STRICT', { metrics, probes: { readyz: '/ready', livez: '/broken' } });
    closers.push(() => setting.guarded.close({ graceMs: 0 }));
    const status = async (path: string) => (await get(metrics.port, path)).status;
    expect(await status('/app-health/app/readyz')).toBe(200);
    expect(await status('/app-health/app/livez')).toBe(503);
    expect(asked).toContain('/ready undefined');
    expect(await status('/app-health/app/startupz')).toBe(200);
    expect(await status('/app-health/nobody/startupz')).toBe(404);
    expect(await status('/app-health/side/startupz')).toBe(501);
    const own = createProbes({ options: undefined, env: process.env, port: () => setting.port, ask: () => {} });
    const server = createServer((request, response) => {
      if (!own(request, response)) response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const at = (server.address() as net.AddressInfo).port;
    expect((await get(at, '/app-health/side/readyz')).status).toBe(204);
    expect((await get(at, '/app-health/side/livez')).status).toBe(500);
  });

  it('listed paths are served in plain on the main port, others and other methods are not', async () => {
    const setting = await startGuarded(
      createServer((request, response) => response.end(`${request.url} ${request.headers['x-envoy-internal']}`)),
      'STRICT',
      { plainPaths: ['/healthz'] },
    );
    closers.push(() => setting.guarded.close({ graceMs: 0 }));
    const socket = await plain(setting.port);
    const forged = { 'x-envoy-internal': 'true' };
    expect((await ask(socket, { path: '/healthz?full', headers: forged })).text).toBe('/healthz?full undefined');
    expect((await ask(socket, { path: '/admin' })).status).toBe(403);
    for (const path of ['/healthz/', '/healthz/../admin', '//healthz', '/HEALTHZ', 'http://a/healthz', '*'])
      expect([path, (await ask(await plain(setting.port), { path })).status]).toEqual([path, 403]);
    expect((await ask(await plain(setting.port), { path: '/healthz', method: 'POST' })).status).toBe(403);
    const mutual = await secure(setting, setting.caller);
    expect((await ask(mutual, { path: '/admin' })).status).toBe(200);
    mutual.destroy();
    setting.mode('PERMISSIVE');
    const open = await plain(setting.port);
    expect((await ask(open, { path: '/admin' })).status).toBe(200);
    const closed = fate(open);
    open.destroy();
    await closed;
  });

  it('says what is wrong with ISTIO_KUBE_APP_PROBERS', () => {
    const parts = { options: undefined, port: () => 1, ask: () => {} };
    for (const text of ['{', '[]', '1'])
      expect(() => createProbes({ ...parts, env: { ISTIO_KUBE_APP_PROBERS: text } })).toThrow(/MESH_CONFIG_INVALID/);
  });
});
