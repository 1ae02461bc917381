import http2 from 'node:http2';
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Echo } from '../../../sdk/src/connectrpc/echo.fixture.ts';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '../../../sdk/src/connectrpc-entry.ts';
import type { Mesh } from '../../../sdk/src/index.ts';
import { guard, peerOf } from '../../../sdk/src/server/index.ts';
import {
  destinationRule,
  idOf,
  peerAuthentication,
  service,
  startWorld,
  type World,
} from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';

/** Both ends of connect-node under STRICT: a guarded HTTP/2 server, and each protocol's transport over the mesh. */

const WAYS: readonly (readonly [name: string, make: (options: { baseUrl: string; mesh: Mesh }) => Transport])[] = [
  ['Connect', createConnectTransport],
  ['gRPC', createGrpcTransport],
  ['gRPC-web', createGrpcWebTransport],
];

let world: World;
let mesh: Mesh;
const callers = new Set<string | undefined>();
beforeAll(async () => {
  const port = await freePort();
  const rule = destinationRule('echo', '{ mode: ISTIO_MUTUAL }');
  world = await startWorld(service('echo', 'echo', port, 'http2') + peerAuthentication('STRICT') + rule);
  const { mesh: own } = await world.mesh('echo');
  const routes = connectNodeAdapter({
    routes: (router) =>
      void router.service(Echo, {
        say: ({ value }) => create(StringValueSchema, { value }),
        async *chat(messages) {
          for await (const { value } of messages) yield { value };
        },
      }),
  });
  const server = http2.createServer((request, response) => {
    callers.add(peerOf(request)?.id);
    routes(request, response);
  });
  const guarded = guard(server, { mesh: own, host: '127.0.0.1' });
  world.onClose(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(port);
  ({ mesh } = await world.mesh('web'));
});
afterAll(() => world?.close());

describe.each(WAYS)('%s by mutual TLS', (_, make) => {
  it('one message and a stream both ways; the server knows who asks', async () => {
    callers.clear();
    const echo = createClient(Echo, make({ baseUrl: 'http://echo.shop:9080', mesh }));
    expect((await echo.say({ value: 'hello' })).value).toBe('hello');
    async function* words() {
      yield { value: 'a' };
      yield { value: 'b' };
    }
    const heard: string[] = [];
    for await (const { value } of echo.chat(words())) heard.push(value);
    expect(heard).toEqual(['a', 'b']);
    expect([...callers]).toEqual([idOf('web')]);
  });
});
