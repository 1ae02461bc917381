import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readAll, startTestMesh } from '../../../test/harness/test-mesh.ts';
import { createMesh } from '../mesh.ts';
import { propagate } from '../propagation/propagate.ts';

describe('call policy asked for by the application', () => {
  it('retries of one call', async () => {
    let asked = 0;
    await using test = await startTestMesh((_, response) => response.writeHead(asked++ < 2 ? 503 : 200).end());
    const mesh = { retry: { on: ['5xx'], attempts: 2 } };
    const response = await test.mesh.fetch(test.url, { mesh });
    expect(response.status).toBe(200);
    expect(response.mesh?.attempts.map(({ status }) => status)).toEqual([503, 503, 200]);
  });

  it('retries of statuses, without a word for them', async () => {
    await using test = await startTestMesh((_, response) => response.writeHead(418).end());
    const response = await test.mesh.fetch(test.url, { mesh: { retry: { statusCodes: [418], attempts: 1 } } });
    expect(response.mesh?.attempts.map(({ status }) => status)).toEqual([418, 418]);
  });

  it.each([
    [{ timeoutMs: Number.NaN }, 'timeoutMs is NaN: a number from 0 is wanted'],
    [{ retry: { attempts: -1 } }, 'retry.attempts is -1'],
    [{ hedge: { delayMs: -5 } }, 'hedge.delayMs is -5'],
  ])('of numbers that are none: a call rejects, a mesh is not made', async (policy, what) => {
    await using test = await startTestMesh((_, response) => response.end());
    await expect(test.mesh.fetch(test.url, { mesh: policy })).rejects.toThrow(`mesh.${what}`);
    await expect(test.mesh.fetch(test.url, { mesh: policy })).rejects.toBeInstanceOf(TypeError);
    expect(() => createMesh({ policy })).toThrow(`[MESH_CONFIG_INVALID] policy.${what}`);
  });

  it('of all calls of a mesh, whose own comes first', async () => {
    await using test = await startTestMesh((_, response) => response.writeHead(503).end(), {
      policy: { retry: { on: '5xx', attempts: 1 } },
    });
    expect((await test.mesh.fetch(test.url)).mesh?.attempts).toHaveLength(2);
    const alone = await test.mesh.fetch(test.url, { mesh: { retry: false } });
    expect(alone.mesh?.attempts).toHaveLength(1);
    expect(test.origin.requests).toHaveLength(3);
  });

  it('a POST, when it is said to be repeatable; a body given whole is sent whole', async () => {
    const bodies: string[] = [];
    await using test = await startTestMesh(async (request, response) => {
      bodies.push(await readAll(request));
      response.writeHead(bodies.length === 1 ? 503 : 200).end();
    });
    const retry = { on: '5xx', attempts: 1 };
    const init = { method: 'POST', body: 'order', mesh: { retry, idempotent: true } };
    expect((await test.mesh.fetch(test.url, init)).status).toBe(200);
    expect(bodies).toEqual(['order', 'order']);
  });

  it('through undici as well', async () => {
    let asked = 0;
    await using test = await startTestMesh((_, response) => response.writeHead(asked++ < 1 ? 503 : 200).end());
    const mesh = { retry: { on: '5xx' } };
    const { statusCode, body } = await test.mesh.request(test.url, { mesh });
    await body.dump();
    expect(statusCode).toBe(200);
  });
});

describe('the time an inbound request has', () => {
  it('ends the calls made for it, and goes along', async () => {
    await using test = await startTestMesh((request, response) => {
      if (request.url === '/now') response.end();
    });
    const inbound = createServer(
      propagate().listener(async (request: IncomingMessage, response: ServerResponse) => {
        const first = await test.mesh.fetch(`${test.url}/now`);
        const second = await test.mesh.fetch(`${test.url}/never`);
        const told = test.origin.requests[0]?.headers['x-envoy-expected-rq-timeout-ms'];
        response.end(JSON.stringify([first.status, second.status, second.mesh?.flag, Number(told), request.url]));
      }),
    ).listen(0, '127.0.0.1');
    await new Promise((resolve) => inbound.once('listening', resolve));
    const { port } = inbound.address() as AddressInfo;
    const headers = { 'x-envoy-expected-rq-timeout-ms': '400' };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    const [first, second, flag, told] = (await answer.json()) as unknown[];
    inbound.closeAllConnections();
    inbound.close();
    expect([first, second, flag]).toEqual([200, 504, 'UT']);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(400);
  });
});
