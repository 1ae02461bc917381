import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Mesh } from '@inmesh/sdk';
import { createTestMesh, type TestIdentity, type TestMesh } from '@inmesh/xds-server/testing';

/** What an origin has received. */
interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export type Listener = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

/** A real HTTP server that keeps what it received. */
export interface Origin extends AsyncDisposable {
  readonly port: number;
  readonly received: Received[];
  readonly server: ReturnType<typeof createServer>;
  close(): Promise<void>;
}

/** `listen` hears of a request once its body has come. */
export async function startOrigin(listen: Listener = (_request, response) => response.end('ok')): Promise<Origin> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const { method = '', url = '', headers, rawHeaders } = request;
    const body = Buffer.concat(chunks).toString();
    received.push({ method, url, headers, rawHeaders, body });
    listen(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, received, server, close, [Symbol.asyncDispose]: close };
}

/** A service `name:80`, each version of it an instance on its own port. */
export const service = (name: string, versions: Readonly<Record<string, number>>): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  ports: [{ name: http, port: 80 }]
  selector: { app: ${name} }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${name}
  subsets:
${Object.keys(versions)
  .map((version) => `    - { name: ${version}, labels: { version: ${version} } }\n`)
  .join('')}---
${Object.entries(versions)
  .map(([version, port]) => instance(name, version, port))
  .join('')}`;

const instance = (name: string, version: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}-${version} }
spec:
  address: 127.0.0.1
  ports: { http: ${port} }
  labels: { app: ${name}, version: ${version} }
---
`;

/** A VirtualService of `host`; `http` is its list of rules, as flow or block YAML. */
export const rules = (host: string, http: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host.split('.')[0]} }
spec:
  hosts: [${host}]
  http:
${http
  .split('\n')
  .map((line) => `    ${line}\n`)
  .join('')}---
`;

/** One control plane, one caller. */
export interface World extends AsyncDisposable {
  readonly test: TestMesh;
  readonly mesh: Mesh;
}

export async function world(yaml: string, identity: TestIdentity = {}): Promise<World> {
  const test = await createTestMesh({ yaml });
  const mesh = test.mesh({ workload: 'web', ...identity });
  return { test, mesh, [Symbol.asyncDispose]: () => test.close() };
}

/** Resolves once `holds`; the test's own time limit is the bound. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
