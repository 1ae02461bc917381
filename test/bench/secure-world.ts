import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import type { OriginMessage, OriginPorts, OriginTask } from './secure-origin.ts';
import { NAMESPACE, plugInCa, type WorkloadCertificates } from './workload-certificates.ts';

/** A control plane with a CA, a caller's mesh in this process, and an application behind four doors in another. */
export interface SecureWorld {
  readonly mesh: Mesh;
  readonly certificates: WorkloadCertificates;
  readonly origin: { readonly pid: number; readonly ports: OriginPorts };
  /** The control plane for other processes: where it is, by what it is verified, and what lets them in. */
  readonly xds: string;
  readonly rootsFile: string;
  token(account: string): Promise<string>;
  /** Of the application's process, after a collection. */
  residentBytes(): Promise<number>;
  close(): Promise<void>;
}

/** Hosts of the mesh: both doors, each also with a connection for each request, and the secure one with every policy on. */
export const HOSTS = {
  secure: 'http://secure:9080',
  open: 'http://open:9080',
  freshSecure: 'http://fresh-secure:9080',
  freshOpen: 'http://fresh-open:9080',
  busy: 'http://busy:9080',
} as const;

export async function startSecureWorld(): Promise<SecureWorld> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bench-mtls-'));
  const certificates = await plugInCa(path.join(folder, 'ca'));
  const rootsFile = path.join(folder, 'roots.pem');
  writeFileSync(rootsFile, certificates.client.roots);
  const source = memorySource(STRICT);
  const server = createXdsServer({ source, ca: { directory: path.join(folder, 'ca') } });
  const { secure } = await server.listen({ secure: '127.0.0.1:0' });
  const xds = `tls://${secure}`;
  const token = (account: string) => server.token({ namespace: NAMESPACE, serviceAccount: account });
  const child = fork(fileURLToPath(new URL('secure-origin.ts', import.meta.url)), {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  const own = { token: await token('reviews'), certificate: certificates.server };
  const ports = await startOrigin(child, { xds, rootsFile, ...own });
  source.apply(hostsAt(ports));
  await server.settled();
  const transport = server.transport({ namespace: NAMESPACE, serviceAccount: 'web' });
  const mesh = createMesh({ transport, workload: 'web', configTimeoutMs: 60_000 }, { env: {} });
  return {
    mesh,
    certificates,
    xds,
    rootsFile,
    token,
    origin: { pid: child.pid ?? 0, ports },
    async residentBytes() {
      const told = await ask(child, 'memory');
      return 'rssBytes' in told ? told.rssBytes : Number.NaN;
    },
    async close() {
      await mesh.close();
      child.disconnect();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ask(child: ChildProcess, task: OriginTask | 'memory'): Promise<OriginMessage> {
  const told = once(child, 'message');
  child.send(task);
  const [message] = (await told) as [OriginMessage];
  return message;
}

async function startOrigin(child: ChildProcess, task: OriginTask): Promise<OriginPorts> {
  const told = await ask(child, task);
  if ('ports' in told) return told.ports;
  throw new Error('bench: the server process has told no ports');
}

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

function hostsAt({ secure, open }: OriginPorts): string {
  const fresh = 'connectionPool: { http: { maxRequestsPerConnection: 1 } }';
  return [
    service('secure', secure, true),
    service('open', open, false),
    service('fresh-secure', secure, true),
    service('fresh-open', open, false),
    policy('fresh-secure', fresh),
    policy('fresh-open', fresh),
    service('busy', secure, true),
    policy('busy', EVERY_LIMIT),
    BUSY_ROUTES,
  ].join('---');
}

/** One endpoint; whether callers expect mutual TLS there is its label. */
const service = (name: string, port: number, isSecure: boolean): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${NAMESPACE} }
spec: { ports: [{ name: http, port: 9080 }], selector: { app: ${name} } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: ${NAMESPACE} }
spec:
  address: 127.0.0.1
  ports: { http: ${port} }
  labels: { app: ${name}${isSecure ? ', security.istio.io/tlsMode: istio' : ''} }
  serviceAccount: reviews
`;

const policy = (host: string, text: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: ${NAMESPACE} }
spec: { host: ${host}, trafficPolicy: { ${text} } }
`;

/** Matched, timed, retried, ejected and limited: each policy is there, none has anything to do. */
const EVERY_LIMIT =
  'outlierDetection: { consecutive5xxErrors: 5, interval: 10s }, ' +
  'connectionPool: { tcp: { maxConnections: 1024 }, http: { http1MaxPendingRequests: 1024, http2MaxRequests: 4096 } }';

const busyRoute = (prefix: string): string => `
  - match: [{ uri: { prefix: ${prefix} } }]
    route: [{ destination: { host: busy } }]
    timeout: 15s
    retries: { attempts: 2, perTryTimeout: 5s, retryOn: "5xx,reset,connect-failure,refused-stream" }
    headers: { request: { add: { x-mesh: bench } } }`;

const BUSY_ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: busy, namespace: ${NAMESPACE} }
spec:
  hosts: [busy]
  http:${Array.from({ length: 9 }, (_, index) => busyRoute(`/other/${index}`)).join('')}${busyRoute('/')}
`;
