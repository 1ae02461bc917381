import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { rules, service, type World, world } from '../sdk/world.ts';

/** Its event loop is its own: it answers while this one stands still. */
const ORIGIN = `
const { createServer } = require('node:http');
const { parentPort } = require('node:worker_threads');
let requests = 0;
const server = createServer((request, response) => {
  requests++;
  if (request.url === '/never') return;
  if (request.url === '/count') return response.end(String(--requests));
  setTimeout(() => response.end('ok'), Number(request.url.slice(1)));
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const BLOCK_MS = 2_000;
/** As a long computation of the application does. */
const block = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS);
};

let worker: Worker | undefined;
afterEach(() => worker?.terminate());

async function slowWorld(rule: string): Promise<World> {
  worker = new Worker(ORIGIN, { eval: true });
  const [port] = await once(worker, 'message');
  const policy = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: slow-policy }
spec:
  host: slow
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 1, interval: 100ms, baseEjectionTime: 60s, maxEjectionPercent: 100 }
---
`;
  const w = await world(
    `${service('slow', { v1: port })}${policy}${rules('slow', `- route: [{ destination: { host: slow } }]\n${rule}`)}`,
  );
  await w.test.settled();
  // The connection is there, so that all that follows is the call itself.
  await (await w.mesh.fetch('http://slow/1')).text();
  return w;
}

const ejected = async (w: World): Promise<number> => {
  const { endpoints } = await w.mesh.explain({ url: 'http://slow/' });
  return endpoints.filter(({ state }) => state !== 'healthy').length;
};

describe(`this process stands still for ${BLOCK_MS} ms`, () => {
  it('a call whose answer came meanwhile has its answer, though its time is over, and no host is ejected', async () => {
    await using w = await slowWorld('  timeout: 1s');
    const calls = Array.from({ length: 20 }, async () => {
      const response = await w.mesh.fetch('http://slow/100');
      return `${response.status} ${await response.text()}`;
    });
    // The requests have left.
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
    block();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['200 ok']));
    expect(await ejected(w)).toBe(0);
  });

  it('per-try timeouts that ran out meanwhile cause no retry: every request is sent once', async () => {
    await using w = await slowWorld('  timeout: 10s\n  retries: { attempts: 2, perTryTimeout: 500ms, retryOn: 5xx }');
    const calls = Array.from({ length: 20 }, async () => {
      const response = await w.mesh.fetch('http://slow/100');
      await response.text();
      return `${response.status} ${response.mesh?.attempts.length}`;
    });
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
    block();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['200 1']));
    const count = await (await w.mesh.fetch('http://slow/count')).text();
    expect(count).toBe('21');
  });

  it('a call that nobody answered is late all the same: 504 UT; who stood still says nothing of the host', async () => {
    await using w = await slowWorld('  timeout: 1s');
    const call = w.mesh.fetch('http://slow/never');
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
    block();
    const response = await call;
    expect([response.status, response.mesh?.flags]).toEqual([504, ['UT']]);
    expect(await ejected(w)).toBe(0);
    const next = await w.mesh.fetch('http://slow/1');
    expect(next.status).toBe(200);
  });

  it('calls made right after are answered', async () => {
    await using w = await slowWorld('  timeout: 1s');
    block();
    const response = await w.mesh.fetch('http://slow/10');
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
  });
});
