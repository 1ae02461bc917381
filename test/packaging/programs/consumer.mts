import {
  createMesh,
  type Explanation,
  type Mesh,
  MeshError,
  type MeshEvent,
  type MeshResponse,
  meshFetch,
  propagate,
} from '@inmesh/sdk';
import { type Guarded, type GuardOptions, guard, type Peer, peerOf } from '@inmesh/sdk/server';
import { createXdsServer, formatProblem, memorySource, watchFiles, type XdsServer } from '@inmesh/xds-server';
import { createTestMesh } from '@inmesh/xds-server/testing';

const response: MeshResponse = await meshFetch(new URL('http://reviews:9080/'), {
  method: 'POST',
  body: 'text',
  mesh: { localReply: 'throw' },
});
const platform: Response = response;
const cluster: string | undefined = response.mesh?.cluster;

const server: XdsServer = createXdsServer({ source: memorySource('') });
await using mesh: Mesh = createMesh({ transport: server.transport(), namespace: 'default', workload: 'web' });
const dropIn: typeof fetch = mesh.fetch as typeof fetch;
const stop: () => void = mesh.on((event: MeshEvent) => process.stdout.write(event.kind));
const explanation: Explanation = await mesh.explain({ url: 'http://reviews:9080/' });
const { statusCode } = await mesh.request('http://reviews:9080/', { method: 'GET' });

try {
  await mesh.ready({ hosts: ['reviews:9080'], timeoutMs: 10 });
} catch (error) {
  if (error instanceof MeshError) process.stdout.write(`${error.code} ${error.flag ?? '-'}`);
}

const guarding: GuardOptions = { mesh, service: 'reviews', shutdown: { delayMs: 0 } };
const guarded: Guarded = guard((request, response) => {
  const peer: Peer | undefined = peerOf(request);
  response.end(peer?.serviceAccount);
}, guarding);
const { port } = await guarded.listen({ port: 0 });

const files = watchFiles('mesh');
const test = await createTestMesh({ yaml: '' });
for (const problem of server.problems()) process.stdout.write(formatProblem(problem));
process.stdout.write(
  [platform.status, cluster, dropIn.name, explanation.cluster, statusCode, typeof propagate, typeof files, port].join(),
);
stop();
await test.close();
