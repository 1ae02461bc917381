import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createTestMesh, type TestMesh } from './index.ts';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: greeter}
spec:
  ports: [{name: http, port: 8080}]
  selector: {app: greeter}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

const to = (subset: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter}
spec:
  hosts: [greeter]
  http: [{route: [{destination: {host: greeter, subset: ${subset}}}]}]
`;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A greeter of one version, as a process of the mesh. */
async function greeter(test: TestMesh, version: string) {
  const server = createServer((_request, response) => response.end(version));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return test.mesh({ workload: `greeter-${version}`, service: { name: 'greeter', port, version } });
}

it('is a whole mesh: processes register, rules steer, edits arrive, a closed process is gone', async () => {
  const test = await createTestMesh({ yaml: `${SERVICE}---${to('v1')}` });
  closers.push(() => test.close());
  const web = test.mesh({ workload: 'web' });
  await greeter(test, 'v1');
  const second = await greeter(test, 'v2');
  await test.settled();
  const call = async () => {
    const response = await web.fetch('http://greeter:8080/');
    return `${response.status} ${await response.text()}`;
  };
  expect(await call()).toBe('200 v1');
  await test.apply(to('v2'));
  expect(await call()).toBe('200 v2');
  await second.close();
  await test.settled();
  expect(await call()).toMatch(/^503 no healthy upstream/);
  await test.delete('VirtualService/default/greeter');
  expect(await call()).toBe('200 v1');
  expect(test.server.clients().map(({ workload }) => workload)).toEqual(expect.arrayContaining(['web', 'greeter-v1']));
});

it('throws naming line and field where the YAML is wrong', async () => {
  await expect(createTestMesh({ yaml: SERVICE.replace('8080', 'eighty') })).rejects.toThrow(
    /memory\.yaml:6: Service default\/greeter: spec\.ports\[0\]\.port/,
  );
});
