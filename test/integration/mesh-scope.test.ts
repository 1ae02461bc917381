import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
`;
const sidecar = (spec: string): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: ${spec}
`;

let test: TestMesh;
let port: number;
const server = createServer((_request, response) => response.end('reviews'));

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  test = await createTestMesh({ yaml: SERVICE });
  test.mesh({ workload: 'reviews', service: { name: 'reviews', port } });
});
afterEach(async () => {
  await test.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

it('a Sidecar says what a workload reaches, and REGISTRY_ONLY what happens to everything else', async () => {
  const web = test.mesh({ workload: 'web' });
  await test.settled();
  const ask = async (url: string): Promise<string> => {
    const response = await web.fetch(url).catch((error: unknown) => error);
    return response instanceof Response ? `${response.status} ${await response.text()}` : 'rejected';
  };
  expect(await ask('http://reviews:9080/')).toBe('200 reviews');
  await test.apply(sidecar('{ egress: [{ hosts: ["~/*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }'));
  expect(await ask('http://reviews:9080/')).toMatch(/^502/);
  await test.apply(sidecar('{ egress: [{ hosts: ["./*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }'));
  expect(await ask('http://reviews:9080/')).toBe('200 reviews');
  expect(await ask(`http://localhost.example:${port}/`)).toMatch(/^502/);
});

it('a delegate of another namespace answers in the place of its root', async () => {
  const web = test.mesh({ workload: 'web' });
  await test.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /api } }]
      delegate: { name: part, namespace: team }
    - route: [{ destination: { host: reviews } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: part, namespace: team }
spec:
  http: [{ match: [{ uri: { prefix: /api/v2 } }], directResponse: { status: 299, body: { string: part } } }]
`);
  const two = await web.fetch('http://reviews:9080/api/v2');
  expect([two.status, await two.text()]).toEqual([299, 'part']);
  expect(await (await web.fetch('http://reviews:9080/api/v1')).text()).toBe('reviews');
});
