import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../../sdk/src/index.ts';
import type { XdsServer } from '../../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { watchFiles } from '../../../xds-server/src/source/files.ts';
import { createTestCa, type TestCertificate } from '../../harness/certificates.ts';

/** Peers outside the mesh, with certificates of a CA that the mesh has nothing to do with. */

const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const ca = await createTestCa({ subject: 'CN=bank root' });
const bank = await ca.issue({ dns: ['bank.example'] });
const shop = await ca.issue({ dns: ['shop.client'] });

const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-outside-'));
closers.push(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};

/** Answers with what it saw of the connection. */
async function startBank(options: https.ServerOptions): Promise<number> {
  const app = https.createServer(
    { cert: bank.pem, key: bank.keyPem, ca: ca.pem, ...options },
    ({ socket }, response) => {
      if (!(socket instanceof TLSSocket)) throw new TypeError('no TLS');
      const client = socket.getPeerCertificate().subjectaltname ?? 'nobody';
      response.end(`${socket.servername} ${socket.getProtocol()} ${client}`);
    },
  );
  app.on('tlsClientError', () => {});
  app.listen(0, '127.0.0.1');
  await new Promise((resolve) => app.once('listening', resolve));
  closers.push(() => {
    app.close();
    app.closeAllConnections();
  });
  return (app.address() as AddressInfo).port;
}

const host = (name: string, port: number, tls: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${name}.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: shop }
spec: { host: ${name}.example, trafficPolicy: { tls: ${tls} } }
---`;

const secret = ({ pem, keyPem }: TestCertificate): string => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `
apiVersion: v1
kind: Secret
metadata: { name: bank, namespace: shop }
type: kubernetes.io/tls
data: { tls.crt: ${base64(pem)}, tls.key: ${base64(keyPem)}, ca.crt: ${base64(ca.pem)} }
`;
};

let server: XdsServer;
let mesh: Mesh;

beforeAll(async () => {
  const asks = { requestCert: true, rejectUnauthorized: true };
  const [strict, open, old] = [
    await startBank(asks),
    await startBank({}),
    await startBank({ ...asks, maxVersion: 'TLSv1.2' }),
  ];
  const [cert, key, roots] = [write('cert.pem', shop.pem), write('key.pem', shop.keyPem), write('roots.pem', ca.pem)];
  const yaml = path.join(folder, 'mesh.yaml');
  const files = `clientCertificate: ${cert}, privateKey: ${key}, caCertificates: ${roots}`;
  const rules = [
    host('secret', strict, '{ mode: MUTUAL, credentialName: bank, sni: bank.example }'),
    host('files', strict, `{ mode: MUTUAL, ${files}, sni: bank.example }`),
    host('old', old, '{ mode: MUTUAL, credentialName: bank, sni: bank.example }'),
    host('simple', open, `{ mode: SIMPLE, caCertificates: ${roots}, sni: bank.example }`),
    host('pinned', open, `{ mode: SIMPLE, caCertificates: ${roots}, subjectAltNames: [bank.example] }`),
    host('misnamed', open, `{ mode: SIMPLE, caCertificates: ${roots}, subjectAltNames: [other.example] }`),
    host('platform', open, '{ mode: SIMPLE, sni: bank.example }'),
    host('missing', strict, '{ mode: MUTUAL, credentialName: nowhere, sni: bank.example }'),
    host('mesh', strict, '{ mode: ISTIO_MUTUAL }'),
  ];
  writeFileSync(yaml, rules.join(''));
  write('secret.yaml', secret(shop));
  server = createXdsServer({ source: watchFiles(folder) });
  closers.push(() => server.close());
  await server.settled();
  mesh = meshOf('shop');
}, 60_000);

function meshOf(namespace: string): Mesh {
  const transport = server.transport({ namespace, serviceAccount: 'web' });
  const made = createMesh({ transport, workload: 'web' }, { env: {} });
  closers.push(() => made.close());
  return made;
}

const call = (name: string, by = mesh): Promise<string> =>
  by.fetch(`http://${name}.example/`, { mesh: { localReply: 'throw' } }).then((answer) => answer.text(), String);

describe('TLS to hosts outside the mesh', { timeout: 60_000 }, () => {
  it.each([
    ['MUTUAL by a Secret of the folder', 'secret', 'bank.example TLSv1.3 DNS:shop.client'],
    ['MUTUAL by files', 'files', 'bank.example TLSv1.3 DNS:shop.client'],
    ['a peer that has TLS 1.2 alone', 'old', 'bank.example TLSv1.2 DNS:shop.client'],
    ['SIMPLE, verified by the server name', 'simple', 'bank.example TLSv1.3 nobody'],
    ['SIMPLE, verified by subjectAltNames', 'pinned', 'pinned.example TLSv1.3 nobody'],
  ])('%s', async (_, name, seen) => {
    expect(await call(name)).toBe(seen);
    expect(await call(name)).toBe(seen);
  });

  it.each([
    ['a name that is not listed', 'misnamed', 'wrong-name'],
    ['a root that the platform does not know', 'platform', 'unknown-root'],
    ['a server that is none of the mesh, called as one', 'mesh', 'MESH_PEER_REFUSED'],
    ['a Secret that is not there', 'missing', 'kubernetes://nowhere'],
  ])('%s: nothing is sent, and the error says why', async (_, name, why) => {
    expect(await call(name)).toContain(why);
    expect(await call(name)).toContain(why);
  });

  it('a Secret is for its own namespace', async () => {
    expect(await call('secret', meshOf('elsewhere'))).toContain('kubernetes://bank');
  });

  it('a Secret that is replaced counts for the next connection', async () => {
    const next = await ca.issue({ dns: ['shop.next'] });
    write('secret.yaml', secret(next));
    await expect.poll(() => call('secret'), { timeout: 30_000 }).toBe('bank.example TLSv1.3 DNS:shop.next');
  });
});
