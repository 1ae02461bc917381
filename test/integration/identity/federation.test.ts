import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../../sdk/src/index.ts';
import { guard, peerOf } from '../../../sdk/src/server/index.ts';
import type { XdsServer } from '../../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { type MemorySource, memorySource } from '../../../xds-server/src/source/memory.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A mesh of its own: trust domain, CA, one guarded server, one caller. */
interface Side {
  readonly trustDomain: string;
  readonly server: XdsServer;
  readonly source: MemorySource;
  readonly mesh: Mesh;
  readonly port: number;
  readonly roots: string;
  readonly refused: string[];
}

const settings = (trustDomain: string, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: JSON.stringify({ trustDomain, ...more }) },
  });

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

const theOther = ({ trustDomain, port }: Side): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: other, namespace: shop }
spec:
  hosts: [other.mesh]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
  subjectAltNames: ["spiffe://${trustDomain}/ns/shop/sa/orders"]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: other, namespace: shop }
spec: { host: other.mesh, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`;

async function startSide(trustDomain: string): Promise<Side> {
  const source = memorySource(`${settings(trustDomain)}\n---${STRICT}`);
  const server = createXdsServer({ source });
  closers.push(() => server.close());
  await server.settled();
  const transport = server.transport({ namespace: 'shop', serviceAccount: 'orders' });
  const mesh = createMesh({ transport, workload: 'orders' }, { env: {} });
  closers.push(() => mesh.close());
  const refused: string[] = [];
  mesh.on((event) => {
    if (event.kind === 'inbound-refused') refused.push(event.message);
  });
  const app = createServer((request, response) => response.end(`${trustDomain} sees ${peerOf(request)?.id}`));
  const guarded = guard(app, { mesh, host: '127.0.0.1' });
  closers.push(() => guarded.close({ graceMs: 0 }));
  const { port } = await guarded.listen(0);
  return { trustDomain, server, source, mesh, port, roots: (await server.roots()).join(''), refused };
}

/** What each side is told of the other. */
async function tell(side: Side, other: Side, { roots = other.roots, isTaken = true } = {}): Promise<void> {
  const more = {
    caCertificates: [{ trustDomains: [other.trustDomain], pem: roots }],
    ...(isTaken && { trustDomainAliases: [other.trustDomain] }),
  };
  side.source.apply([settings(side.trustDomain, more), STRICT, theOther(other)].join('\n---\n'));
  await side.server.settled();
}

const call = ({ mesh }: Side): Promise<string> =>
  mesh.fetch('http://other.mesh/', { mesh: { localReply: 'throw' } }).then((answer) => answer.text(), String);
const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 50 });

describe('two meshes with trust domains and CAs of their own', { timeout: 120_000 }, () => {
  it('call each other where each trusts the other’s roots and takes its names', async () => {
    const [one, two] = [await startSide('one.example'), await startSide('two.example')];
    await tell(one, two);
    await tell(two, one);
    await until(() => call(one)).toBe('two.example sees spiffe://one.example/ns/shop/sa/orders');
    await until(() => call(two)).toBe('one.example sees spiffe://two.example/ns/shop/sa/orders');
  });

  it('roots alone are no leave to come in', async () => {
    const [one, two] = [await startSide('one.example'), await startSide('two.example')];
    await tell(one, two);
    await tell(two, one, { isTaken: false });
    await until(async () => {
      await call(one);
      return two.refused.at(-1);
    }).toContain('(wrong-name)');
  });

  it('roots of another CA under the name of the other trust domain vouch for nobody in it', async () => {
    const [one, two] = [await startSide('one.example'), await startSide('two.example')];
    await tell(one, two, { roots: one.roots });
    await tell(two, one);
    await until(() => call(one)).toContain('(unknown-root)');
    await until(async () => {
      await call(two);
      return one.refused.at(-1);
    }).toContain('(unknown-root)');
  });
});
