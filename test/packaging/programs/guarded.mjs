import { createServer } from 'node:http';
import { createMesh } from '@inmesh/sdk';
import { guard, peerOf } from '@inmesh/sdk/server';
import { createXdsServer, memorySource } from '@inmesh/xds-server';

const STRICT = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
`;
const server = createXdsServer({ source: memorySource(STRICT) });
await server.start();
const meshOf = (serviceAccount) => {
  const transport = server.transport({ namespace: 'default', serviceAccount });
  return createMesh({ transport, workload: serviceAccount, namespace: 'default', serviceAccount });
};
const mesh = meshOf('reviews');
const web = meshOf('web');
const app = createServer((request, response) => response.end(peerOf(request)?.serviceAccount));
const guarded = guard(app, { mesh, service: 'reviews', host: '127.0.0.1' });
await guarded.listen(0);
await web.ready({ hosts: ['reviews:9080'] });
await server.settled();
const response = await web.fetch('http://reviews:9080/');
process.stdout.write(JSON.stringify({ status: response.status, caller: await response.text() }));
await guarded.close();
await web.close();
await mesh.close();
await server.close();
