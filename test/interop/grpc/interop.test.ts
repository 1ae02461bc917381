import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  destinationRule,
  idOf,
  peerAuthentication,
  service,
  startWorld,
  type World,
} from '../../harness/secure-world.ts';
import { startTestMesh, type TestMesh } from '../../harness/test-mesh.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { clientCases, clientOf, type Place } from './client-cases.ts';
import { IMPLEMENTATIONS, type InteropServer, secureWay, startServer } from './peers.ts';

/** A client of grpc-js on the mesh against the interop servers of other implementations. */

type Client = ReturnType<typeof clientOf>;

describe.each(IMPLEMENTATIONS)("%s's interop server", (_, command) => {
  describe.skipIf(command === undefined)('in plain', () => {
    let test: TestMesh;
    let server: InteropServer;
    let place: Place;
    let client: Client;

    beforeAll(async () => {
      test = await startTestMesh((_, response) => response.end());
      server = await startServer(command, { kind: 'plain' }, '127.0.0.1:0');
      test.host('interop:80', server.port);
      place = { mesh: test.mesh, target: 'interop:80' };
      client = clientOf(place);
    });
    afterAll(async () => {
      client?.close();
      server?.stop();
      await test?.[Symbol.asyncDispose]();
    });

    clientCases(
      () => place,
      () => client,
    );
  });
});

describe.each(IMPLEMENTATIONS)("%s's interop server", (_, command) => {
  describe.skipIf(command === undefined)('by mutual TLS', () => {
    let world: World;
    let place: Place;
    let client: Client;
    const peers = new Set<string | undefined>();

    beforeAll(async () => {
      const port = await freePort();
      const rule = destinationRule('interop', '{ mode: ISTIO_MUTUAL }');
      world = await startWorld(service('interop', 'interop', port, 'grpc') + peerAuthentication('STRICT') + rule);
      const server = await startServer(command, await secureWay(world, 'interop'), `127.0.0.1:${port}`);
      world.onClose(() => server.stop());
      const { mesh } = await world.mesh('web');
      mesh.on((event) => {
        if (event.kind === 'call') peers.add(event.story.peer);
      });
      place = { mesh, target: 'interop.shop:9080' };
      client = clientOf(place);
      // grpc-go's opens its port before it serves.
      await new Promise<void>((resolve, reject) => {
        const call = client.empty as (...all: unknown[]) => unknown;
        const metadata = new Metadata({ waitForReady: true });
        const options = { deadline: Date.now() + 60_000 };
        call.call(client, Buffer.alloc(0), metadata, options, (error: Error | null) =>
          error === null ? resolve() : reject(error),
        );
      });
    });
    afterAll(async () => {
      client?.close();
      await world?.close();
    });

    clientCases(
      () => place,
      () => client,
    );

    it('every answer came from whom the certificate names', () => {
      peers.delete(undefined);
      expect([...peers]).toEqual([idOf('interop')]);
    });
  });
});
