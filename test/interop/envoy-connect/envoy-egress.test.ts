import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_ROOT } from '../../../sdk/src/connection/certificates.fixture.ts';
import { startTlsOrigin, type TlsOrigin } from '../../integration/connect/tls-origin.ts';
import { findEnvoy, type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, listenerOn, staticCluster, tcpProxy } from './tcp-proxy.ts';

const binary = findEnvoy();

/** Both hosts are sent to the gateway; it lets one of them out. */
const world = (gateway: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partners, namespace: default }
spec:
  hosts: [reviews.test, other.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 443, name: tls, protocol: TLS }]
  endpoints: [{ address: 127.0.0.1, ports: { tls: 1 } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: egress, namespace: default }
spec:
  hosts: [egress.example]
  resolution: STATIC
  ports: [{ number: 443, name: tls, protocol: TLS }]
  endpoints: [{ address: 127.0.0.1, ports: { tls: ${gateway} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: through-gateway, namespace: default }
spec:
  hosts: [reviews.test, other.test]
  gateways: [mesh, edge]
  tls:
    - match: [{ gateways: [mesh], port: 443, sniHosts: [reviews.test, other.test] }]
      route: [{ destination: { host: egress.example, port: { number: 443 } } }]
`;

describe.skipIf(binary === undefined)('Envoy as egress gateway, passing TLS through by server name', () => {
  const before = getCACertificates('default');
  let envoy: RunningEnvoy;
  let origin: TlsOrigin;
  let test: TestMesh;

  beforeAll(async () => {
    setDefaultCACertificates([...before, TEST_ROOT]);
    origin = await startTlsOrigin();
    const [port, admin] = [await freePort(), await freePort()];
    const chain = {
      filter_chain_match: { server_names: ['reviews.test'] },
      filters: [tcpProxy('partner', '/dev/null')],
    };
    const resources = bootstrap(admin, [listenerOn(port, chain)], [staticCluster('partner', [origin.port])]);
    envoy = await startEnvoy(binary ?? '', resources, admin);
    test = await createTestMesh({ yaml: world(port) });
  });
  afterAll(async () => {
    setDefaultCACertificates(before);
    await test?.close();
    await envoy?.stop();
    await origin?.close();
  });

  it('an https:// call arrives, TLS from end to end; one to a host the gateway does not let out fails', async () => {
    const mesh = test.mesh({ workload: 'web' });
    const response = await mesh.fetch('https://reviews.test/');
    expect(await response.text()).toBe('tls');
    expect(origin.serverNames).toEqual(['reviews.test']);
    const refused = await mesh.fetch('https://other.test/');
    expect([refused.status, (await refused.text()) !== 'tls']).toEqual([503, true]);
    expect(await envoy.admin('/stats?filter=cluster.partner.upstream_cx_total')).toContain('upstream_cx_total: 1');
    expect(await envoy.admin('/stats?filter=no_filter_chain_match')).toMatch(/no_filter_chain_match: [1-9]/);
  });
});
