import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TEST_ROOT } from '../../../sdk/src/connection/certificates.fixture.ts';
import type { Mesh } from '../../../sdk/src/index.ts';
import { startTlsOrigin, type TlsOrigin } from './tls-origin.ts';

/**
 * Istio's task "Egress gateway for HTTPS traffic": the mesh's connections go to the gateway, which passes them on by server name;
 * TLS is the application's, from end to end.
 */
const rules = (origin: number, gateway: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner, namespace: default }
spec:
  hosts: [reviews.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 443, name: tls, protocol: TLS }]
  endpoints: [{ address: 127.0.0.1, ports: { tls: ${origin} } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: egress, namespace: default }
spec:
  hosts: [istio-egressgateway.istio-system.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 443, name: tls, protocol: TLS }]
  endpoints: [{ address: 127.0.0.1, ports: { tls: ${gateway} } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: egress, namespace: default }
spec: { host: istio-egressgateway.istio-system.svc.cluster.local, subsets: [{ name: partner }] }
`;

const viaGateway = (http = ''): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: through-gateway, namespace: default }
spec:
  hosts: [reviews.test]
  gateways: [mesh, istio-egressgateway]
  ${http}
  tls:
    - match: [{ gateways: [mesh], port: 443, sniHosts: [reviews.test] }]
      route:
        - destination: { host: istio-egressgateway.istio-system.svc.cluster.local, subset: partner, port: { number: 443 } }
    - match: [{ gateways: [istio-egressgateway], port: 443, sniHosts: [reviews.test] }]
      route: [{ destination: { host: reviews.test, port: { number: 443 } }, weight: 100 }]
`;

let test: TestMesh;
let mesh: Mesh;
let origin: TlsOrigin;
let gateway: Server;
let forwarded: number;
const before = getCACertificates('default');

beforeAll(() => setDefaultCACertificates([...before, TEST_ROOT]));
afterAll(() => setDefaultCACertificates(before));
beforeEach(async () => {
  test = await createTestMesh({ yaml: '' });
  mesh = test.mesh({ workload: 'web' }) as Mesh;
  origin = await startTlsOrigin();
  forwarded = 0;
  gateway = createServer((socket) => {
    forwarded++;
    const onward = connect(origin.port, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const side of [socket, onward]) {
      side
        .on('error', () => {})
        .on('close', () => {
          socket.destroy();
          onward.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  await test.apply(rules(origin.port, (gateway.address() as AddressInfo).port));
});
afterEach(async () => {
  await test.close();
  await origin.close();
  await new Promise((resolve) => gateway.close(resolve));
});

const call = async (scheme = 'https'): Promise<[string, number]> => {
  const response = await mesh.fetch(`${scheme}://reviews.test:443/`);
  return [await response.text(), forwarded];
};

describe('https:// by a tls route', () => {
  it('the connection goes to the gateway, TLS to the host that was called', async () => {
    expect(await call()).toEqual(['tls', 0]);
    await test.apply(viaGateway());
    const response = await mesh.fetch('https://reviews.test:443/');
    expect(await response.text()).toBe('tls');
    expect(response.mesh?.cluster).toBe('outbound|443|partner|istio-egressgateway.istio-system.svc.cluster.local');
    expect(forwarded).toBe(1);
    expect(origin.serverNames).toEqual(['reviews.test', 'reviews.test']);
    await test.delete('VirtualService/default/through-gateway');
    expect(await call()).toEqual(['tls', 1]);
  });

  it('an http route of the host decides instead; an http:// call knows nothing of server names', async () => {
    await test.apply(viaGateway('http: [{ route: [{ destination: { host: reviews.test } }] }]'));
    expect(await call()).toEqual(['tls', 0]);
    await test.apply(viaGateway());
    expect(await call('http')).toEqual(['clear', 0]);
  });

  it('TLS that the gateway’s DestinationRule asks for is not put around the call’s: it fails', async () => {
    await test.apply(viaGateway());
    await test.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: egress, namespace: default }
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  trafficPolicy: { tls: { mode: SIMPLE } }
  subsets: [{ name: partner }]
`);
    const response = await mesh.fetch('https://reviews.test:443/');
    expect([response.status, response.mesh?.flag, forwarded]).toEqual([503, 'NC', 0]);
  });

  it('mesh.connect goes the same way', async () => {
    await test.apply(viaGateway());
    const socket = await mesh.connect({ host: 'reviews.test', port: 443 });
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(forwarded).toBe(1);
  });
});
