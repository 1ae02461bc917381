import * as grpc from '@grpc/grpc-js';
import type { Mesh } from '../../../sdk/src/index.ts';
import { destinationRule, idOf, peerAuthentication, service, startWorld } from '../../harness/secure-world.ts';
import { startTestMesh } from '../../harness/test-mesh.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { type Implementation, secureWay, startServer } from './peers.ts';

/** An interop server as a host of a mesh. */
export interface Place {
  readonly mesh: Mesh;
  /** `host:port` */
  readonly target: string;
  /** Who have answered; undefined: in clear. */
  readonly peers: ReadonlySet<string | undefined>;
  close(): Promise<void>;
}

/** Who answers with a certificate of the mesh. */
export const SERVER = idOf('interop');

export const WAYS: readonly (readonly [
  name: string,
  peer: string | undefined,
  open: (command: Implementation) => Promise<Place>,
])[] = [
  ['in plain', undefined, openPlain],
  ['by mutual TLS', SERVER, openSecure],
];

async function openPlain(command: Implementation): Promise<Place> {
  const test = await startTestMesh((_, response) => response.end());
  const server = await startServer(command, { kind: 'plain' }, '127.0.0.1:0');
  test.host('interop:80', server.port);
  const close = async () => {
    server.stop();
    await test[Symbol.asyncDispose]();
  };
  return { mesh: test.mesh, target: 'interop:80', peers: peersOf(test.mesh), close };
}

async function openSecure(command: Implementation): Promise<Place> {
  const port = await freePort();
  const rule = destinationRule('interop', '{ mode: ISTIO_MUTUAL }');
  const world = await startWorld(service('interop', 'interop', port, 'grpc') + peerAuthentication('STRICT') + rule);
  const server = await startServer(command, await secureWay(world, 'interop'), `127.0.0.1:${port}`);
  world.onClose(() => server.stop());
  const { mesh } = await world.mesh('web');
  const place = { mesh, target: 'interop.shop:9080', peers: peersOf(mesh), close: () => world.close() };
  await answering(place);
  return place;
}

function peersOf(mesh: Mesh): ReadonlySet<string | undefined> {
  const peers = new Set<string | undefined>();
  mesh.on((event) => {
    if (event.kind === 'call' && !event.story.local) peers.add(event.story.peer);
  });
  return peers;
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** grpc-go's opens its port before it serves. */
async function answering({ mesh, target }: Pick<Place, 'mesh' | 'target'>): Promise<void> {
  const client = new grpc.Client(target, grpc.credentials.createInsecure(), mesh.grpc());
  const metadata = new grpc.Metadata({ waitForReady: true });
  const options = { deadline: Date.now() + 60_000 };
  await new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(
      '/grpc.testing.TestService/EmptyCall',
      asIs,
      asIs,
      Buffer.alloc(0),
      metadata,
      options,
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  client.close();
}
