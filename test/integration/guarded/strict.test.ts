import { createServer } from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Guarded, guard, peerOf } from '../../../sdk/src/server/index.ts';
import { createTestMesh, type TestMesh } from '../../../xds-server/src/testing/index.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec:
  ports: [{ name: http, port: 9080 }]
  selector: { app: reviews }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: STRICT } }
`;
const mode = (name: string) => YAML.slice(YAML.lastIndexOf('---')).replace('STRICT', name);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(yaml = YAML) {
  const test: TestMesh = await createTestMesh({ yaml });
  closers.push(() => test.close());
  const web = test.mesh({ workload: 'web', serviceAccount: 'web' });
  const mesh = test.mesh({ workload: 'reviews', serviceAccount: 'reviews', labels: { app: 'reviews' } });
  return { test, web, mesh };
}

const opened = (guarded: Guarded): Guarded => {
  closers.push(() => guarded.close({ graceMs: 0 }));
  return guarded;
};

/** What a client without a certificate, such as curl, gets. */
function inPlain(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n'),
    );
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text.split('\r\n', 1)[0] ?? ''));
  });
}

describe('a guarded server in a mesh', () => {
  it('under STRICT is called with mutual TLS, knows its caller, and refuses who has no certificate', async () => {
    const { test, web, mesh } = await start();
    const app = createServer((request, response) => {
      response.end(`${peerOf(request)?.id} ${request.headers['x-forwarded-client-cert']}`);
    });
    const guarded = opened(guard(app, { mesh, service: 'reviews', version: 'v1', host: '127.0.0.1' }));
    const { port } = await guarded.listen(0);
    await test.settled();
    const answer = await web.fetch('http://reviews:9080/');
    const text = await answer.text();
    expect(answer.status).toBe(200);
    expect(text).toMatch(
      /^spiffe:\/\/cluster.local\/ns\/default\/sa\/web By=spiffe:\/\/cluster.local\/ns\/default\/sa\/reviews;Hash=\w{64};Subject="";URI=spiffe:\/\/cluster.local\/ns\/default\/sa\/web$/,
    );
    expect(await inPlain(port)).toBe('');
    expect(guarded.stats().refused).toEqual({ 'no-chain': 1 });
  });

  it('follows PeerAuthentication live, callers and server together: no call fails', async () => {
    const { test, web, mesh } = await start();
    const app = createServer((request, response) => response.end(peerOf(request)?.serviceAccount ?? 'nobody'));
    const guarded = opened(guard(app, { mesh, service: 'reviews', host: '127.0.0.1' }));
    const { port } = await guarded.listen(0);
    await test.settled();
    const call = async () => (await web.fetch('http://reviews:9080/')).text();
    expect(await call()).toBe('web');
    await test.apply(mode('PERMISSIVE'));
    expect(await call()).toBe('web');
    expect(await inPlain(port)).toBe('HTTP/1.1 200 OK');
    await test.apply(mode('DISABLE'));
    expect(await inPlain(port)).toBe('HTTP/1.1 200 OK');
    await expect.poll(call, { timeout: 15_000 }).toBe('nobody');
    await test.apply(mode('STRICT'));
    await expect.poll(call, { timeout: 15_000 }).toBe('web');
    expect(await inPlain(port)).toBe('');
  });

  it('speaks HTTP/2 where the cluster asks for it', async () => {
    const { test, web, mesh } = await start(YAML.replace('name: http,', 'name: http2-reviews,'));
    const app = http2.createServer((request, response) =>
      response.end(`${request.httpVersion} ${peerOf(request)?.serviceAccount}`),
    );
    const guarded = opened(guard(app, { mesh, service: 'reviews', host: '127.0.0.1' }));
    await guarded.listen(0);
    await test.settled();
    expect(await (await web.fetch('http://reviews:9080/')).text()).toBe('2.0 web');
  });

  it('that closes leaves the mesh before it stops to answer', async () => {
    const { test, web, mesh } = await start();
    const app = createServer((_, response) => response.end('ok'));
    const guarded = guard(app, { mesh, service: 'reviews', host: '127.0.0.1' });
    await guarded.listen(0);
    await test.settled();
    expect((await web.fetch('http://reviews:9080/')).status).toBe(200);
    await guarded.close();
    await test.settled();
    const gone = await web.fetch('http://reviews:9080/');
    expect(`${gone.status} ${await gone.text()}`).toMatch(/^503 no healthy upstream/);
  });
});
