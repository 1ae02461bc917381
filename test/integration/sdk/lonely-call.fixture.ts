/** A process of its own: one call to a host that is not there, and nothing else that keeps it alive. */
import { createTestMesh } from '@inmesh/xds-server/testing';

const [policy = ''] = process.argv.slice(2);
const yaml = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: lonely }
spec:
  hosts: [lonely.test]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: 1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: lonely }
spec:
  hosts: [lonely.test]
  http: [{ ${policy}, route: [{ destination: { host: lonely.test } }] }]
`;
const test = await createTestMesh({ yaml });
const response = await test.mesh({ workload: 'web' }).fetch('http://lonely.test/');
process.stdout.write(`${response.status} ${response.mesh?.attempts.length}`);
