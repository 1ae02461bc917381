import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createMesh, type IdentityOptions, type Mesh, type MeshEvent } from '../../sdk/src/index.ts';
import type { XdsServer, XdsServerOptions } from '../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../xds-server/src/embedded.ts';
import { type MemorySource, memorySource } from '../../xds-server/src/source/memory.ts';
import { createTestCa, type TestCa } from './certificates.ts';

export const idOf = (account: string): string => `spiffe://cluster.local/ns/shop/sa/${account}`;

/** A control plane with a plugged-in CA, so that a test can sign what the CA would not. */
export interface World {
  readonly folder: string;
  /** Of the control plane's CA. */
  readonly caFolder: string;
  readonly ca: TestCa;
  readonly server: XdsServer;
  readonly source: MemorySource;
  readonly securePort: number;
  readonly plainPort: number;
  readonly rootsFile: string;
  token(account: string): Promise<string>;
  mesh(account: string, identity?: IdentityOptions): Promise<{ readonly mesh: Mesh; readonly events: MeshEvent[] }>;
  /** Runs at the end, the last one first. */
  onClose(close: () => unknown): void;
  close(): Promise<void>;
}

/** Under an hour: a test's clock may shorten what is longer. */
const TOKEN_MS = 3_000_000;

export async function startWorld(yaml: string, options: Partial<XdsServerOptions> = {}): Promise<World> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-live-'));
  const ca = await createTestCa();
  const caFolder = path.join(folder, 'ca');
  plugIn(caFolder, ca);
  const rootsFile = path.join(folder, 'roots.pem');
  writeFileSync(rootsFile, ca.pem);
  const source = memorySource(yaml);
  const server = createXdsServer({ source, ca: { directory: caFolder }, ...options });
  const { xds, secure } = await server.listen({ xds: '127.0.0.1:0', secure: '127.0.0.1:0' });
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true }), () => server.close()];
  const token = (account: string) => server.token({ namespace: 'shop', serviceAccount: account }, TOKEN_MS);
  return {
    folder,
    caFolder,
    ca,
    server,
    source,
    securePort: portOf(secure),
    plainPort: portOf(xds),
    rootsFile,
    token,
    async mesh(account, identity = {}) {
      const own = { token: await token(account), caRoot: rootsFile, ...identity };
      const mesh = createMesh({ xds: `tls://${secure}`, workload: account, identity: own }, { env: {} });
      const events: MeshEvent[] = [];
      mesh.on((event) => events.push(event));
      closers.push(() => mesh.close());
      return { mesh, events };
    },
    onClose: (close) => void closers.push(close),
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  };
}

function plugIn(folder: string, ca: TestCa): void {
  mkdirSync(folder, { mode: 0o700 });
  const files = { 'ca-cert.pem': ca.pem, 'ca-key.pem': ca.keyPem, 'cert-chain.pem': ca.pem, 'root-cert.pem': ca.pem };
  for (const [name, pem] of Object.entries(files)) writeFileSync(path.join(folder, name), pem, { mode: 0o600 });
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** A service whose one endpoint is here and takes the mesh's TLS as `account`. */
export const service = (name: string, account: string, port: number, portName = 'http'): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { ports: [{ name: ${portName}, port: 9080 }], selector: { app: ${name} } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: shop }
spec:
  address: 127.0.0.1
  ports: { ${portName}: ${port} }
  labels: { app: ${name}, security.istio.io/tlsMode: istio }
  serviceAccount: ${account}
---`;

export const peerAuthentication = (mode: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: ${mode} } }
---`;

export const destinationRule = (host: string, tls: string, more = ''): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: shop }
spec: { host: ${host}, trafficPolicy: { tls: ${tls}${more} } }
---`;
