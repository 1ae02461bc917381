import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { rules, service, startOrigin, world } from './sdk/world.ts';

const TO_SERVICE = '{ kind: Service, name: shop }';
const policy = (spec: string, target = TO_SERVICE): string => `
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: { name: shop }
spec: { targetRefs: [${target}], ${spec} }
---
`;
const http = (more: string): string =>
  rules('shop', `- name: all\n  route: [{ destination: { host: shop } }]\n  ${more}`);

/** A HealthCheckResponse in its frame. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

describe('CallPolicy, from YAML to calls', () => {
  it('retryNonIdempotent: a POST is retried too, and only then', async () => {
    const retried = http('retries: { attempts: 2, retryOn: 5xx }');
    const arrivals = async (yaml: string): Promise<number> => {
      await using origin = await startOrigin((_request, response) => response.writeHead(503).end());
      await using w = await world(`${service('shop', { v1: origin.port })}${retried}${yaml}`);
      await w.mesh.fetch('http://shop/', { method: 'POST', body: 'x' });
      return origin.received.length;
    };
    expect(await arrivals('')).toBe(1);
    expect(await arrivals(policy('retryNonIdempotent: true'))).toBe(3);
    const section = '{ kind: VirtualService, name: shop, sectionName: all }';
    expect(await arrivals(policy('retryNonIdempotent: true', section))).toBe(3);
  });

  it('hedging: a second attempt while the first stands still, and its answer', async () => {
    let count = 0;
    await using origin = await startOrigin((_request, response) => {
      count += 1;
      if (count > 1) response.end('second');
    });
    await using w = await world(`${service('shop', { v1: origin.port })}${policy('hedging: { delay: 20ms }')}`);
    const response = await w.mesh.fetch('http://shop/');
    expect(await response.text()).toBe('second');
    expect(response.mesh?.attempts).toHaveLength(2);
  });

  it('faultScope: an abort that hits attempts is retried, one that hits the call is not', async () => {
    const fault = 'fault: { abort: { httpStatus: 503, percentage: { value: 100 } } }';
    const attempts = async (yaml: string): Promise<number | undefined> => {
      await using origin = await startOrigin((_request, response) => response.end());
      const routed = http(`retries: { attempts: 2, retryOn: 5xx }\n  ${fault}`);
      await using w = await world(`${service('shop', { v1: origin.port })}${routed}${yaml}`);
      const response = await w.mesh.fetch('http://shop/');
      expect(response.status).toBe(503);
      return response.mesh?.attempts.length;
    };
    expect(await attempts('')).toBe(0);
    expect(await attempts(policy('faultScope: attempt'))).toBe(3);
  });

  it('healthCheck: a host that fails its checks gets no calls', async () => {
    await using good = await startOrigin((_request, response) => response.end('good'));
    await using bad = await startOrigin((request, response) =>
      response.writeHead(request.url === '/live' ? 500 : 200).end('bad'),
    );
    const check = 'healthCheck: { http: { path: /live }, interval: 50ms, unhealthyThreshold: 1 }';
    const services = service('shop', { v1: good.port, v2: bad.port });
    await using w = await world(`${services}${policy(check)}`);
    await w.mesh.fetch('http://shop/');
    await expect
      .poll(async () => (await w.mesh.explain({ url: 'http://shop/' })).endpoints.map(({ state }) => state).sort(), {
        timeout: 20_000,
      })
      .toEqual(['healthy', 'unhealthy']);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => (await w.mesh.fetch('http://shop/')).text()),
    );
    expect(new Set(answers)).toEqual(new Set(['good']));
  });

  it('healthCheck by gRPC: a server that minds its authority answers it', async () => {
    const server = createServer();
    server.on('stream', (stream, headers) => {
      asked.push(headers[':authority']);
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(SERVING);
    });
    const asked: (string | undefined)[] = [];
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const checked = service('shop', { v1: port }).replace('port: 80', 'port: 80, appProtocol: grpc');
    await using w = await world(`${checked}${policy('healthCheck: { grpc: {} }')}`);
    expect((await w.mesh.fetch('http://shop/')).status).toBe(200);
    const host = expect.stringMatching(/^shop(\.default\.svc\.cluster\.local)?$/);
    expect(asked).toEqual([host, 'shop']);
    server.close();
  });

  it('is told by explain, and follows edits', async () => {
    await using origin = await startOrigin((_request, response) => response.end());
    await using w = await world(`${service('shop', { v1: origin.port })}${policy('hedging: { delay: p95 }')}`);
    const notes = async () => (await w.mesh.explain({ url: 'http://shop/' })).notes;
    expect(await notes()).toContain('CallPolicy default/shop: hedged after p95, 1 at most');
    w.test.apply(policy('bodyBuffer: 9'));
    await w.test.settled();
    expect(await notes()).toContain('CallPolicy default/shop: bodies up to 9 bytes are kept');
    w.test.delete('CallPolicy/default/shop');
    await w.test.settled();
    expect((await notes()).filter((note) => note.startsWith('CallPolicy'))).toEqual([]);
  });
});

describe("Istio's label for sessions", () => {
  it('brings a caller back to the host that answered first', async () => {
    await using one = await startOrigin((_request, response) => response.end('one'));
    await using two = await startOrigin((_request, response) => response.end('two'));
    const label = 'labels: { istio.io/persistent-session: shop-host }';
    const yaml = service('shop', { v1: one.port, v2: two.port }).replace('name: shop }', `name: shop, ${label} }`);
    await using w = await world(yaml);
    const first = await w.mesh.fetch('http://shop/');
    const host = await first.text();
    const [cookie = ''] = first.headers.getSetCookie();
    expect(cookie).toMatch(/^shop-host="[^"]+"; Path=\/; HttpOnly$/);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const headers = { cookie: cookie.slice(0, cookie.indexOf(';')) };
        return (await w.mesh.fetch('http://shop/', { headers })).text();
      }),
    );
    expect(new Set(answers)).toEqual(new Set([host]));
  });
});
