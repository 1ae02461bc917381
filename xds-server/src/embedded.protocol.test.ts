import { create, fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import { afterEach, describe, expect, it } from 'vitest';
import type { XdsServer, XdsServerOptions } from './embedded/api.ts';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE } from './translate/resource-types.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { ports: [{ name: grpc, port: 9080 }], selector: { app: reviews } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], mirror: { host: reviews } }] }
`;
const NAME = 'outbound|9080||reviews.default.svc.cluster.local';

const servers: XdsServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function start(options: Partial<XdsServerOptions> = {}): XdsServer {
  const server = createXdsServer({ source: memorySource(YAML), ...options });
  servers.push(server);
  return server;
}

/** A stream of a gRPC client that accepts whatever it is told. */
function open(server: XdsServer, id: string, metadata: JsonObject = {}) {
  const heard: DiscoveryResponse[] = [];
  let isFirst = true;
  const node = { id, metadata, userAgentName: 'gRPC Go' };
  const wanted = new Map<string, readonly string[]>();
  const stream = server.transport().open('sotw', {
    message(bytes) {
      const response = fromBinary(DiscoveryResponseSchema, bytes);
      heard.push(response);
      ask(response.typeUrl, wanted.get(response.typeUrl) ?? [], response);
    },
    close: () => {},
  });
  const ask = (typeUrl: string, resourceNames: readonly string[], to?: DiscoveryResponse): void => {
    wanted.set(typeUrl, resourceNames);
    const said = { typeUrl, resourceNames: [...resourceNames], responseNonce: to?.nonce ?? '' };
    const request = { ...said, versionInfo: to?.versionInfo ?? '', ...(isFirst && { node }) };
    isFirst = false;
    stream.send(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  };
  return { heard, ask };
}

describe('many streams of one node id', () => {
  it('each is answered and counted; none ends another', async () => {
    const server = start();
    const streams = Array.from({ length: 256 }, () => open(server, 'same'));
    for (const { ask } of streams) ask(LISTENER_TYPE, ['reviews:9080']);
    for (const { ask } of streams) ask(CLUSTER_TYPE, [NAME]);
    await server.settled();
    expect(streams.filter(({ heard }) => heard.length === 2)).toHaveLength(256);
    const clients = server.clients();
    expect(clients).toHaveLength(256);
    expect(new Set(clients.map(({ id, types }) => `${id} ${types.lds?.status} ${types.cds?.status}`))).toEqual(
      new Set(['same SYNCED SYNCED']),
    );
    const bodies = streams.map(({ heard }) => Buffer.from(heard[0]?.resources[0]?.value ?? []).toString('hex'));
    expect(new Set(bodies).size).toBe(1);
  });
});

describe('limits of a client', () => {
  it('its status says what of the rules it does not do, each with rule and field', async () => {
    const server = start();
    const { ask } = open(server, 'web');
    ask(ROUTE_TYPE, [NAME]);
    ask(CLUSTER_TYPE, [NAME]);
    await server.settled();
    const [client] = server.clients();
    expect(client?.types.rds?.limits).toEqual([
      expect.stringMatching(/^VirtualService default\/reviews: spec\.http\[0\]\.mirror: /),
    ]);
    expect(client?.types.cds?.limits).toBeUndefined();
  });

  it('CSDS has them in the metadata of the node', async () => {
    const server = start();
    const { admin } = await server.listen({ admin: '127.0.0.1:0' });
    open(server, 'web').ask(ROUTE_TYPE, [NAME]);
    await server.settled();
    const response = await fetch(`http://${admin}/csds`);
    expect(await response.json()).toMatchObject({
      config: [{ node: { metadata: { INMESH_LIMITS: [expect.stringContaining('spec.http[0].mirror')] } } }],
    });
  });
});

describe('why a name does not exist', () => {
  it.each([
    [LISTENER_TYPE, 'nobody:1', /^nothing of this type is served as "nobody:1"$/],
    [LISTENER_TYPE, 'xdstp://other/envoy.config.listener.v3.Listener/x', /authority "other" is not served here/],
    [LISTENER_TYPE, 'xdstp:///envoy.config.listener.v3.Listener/x?a=b', /context parameter "a"/],
    [ROUTE_TYPE, 'xdstp:///envoy.config.listener.v3.Listener/x', /it names a envoy.config.listener.v3.Listener/],
  ])('%s %s', async (typeUrl, name, message) => {
    const server = start();
    const { ask, heard } = open(server, 'web');
    ask(typeUrl, [name]);
    await server.settled();
    expect(heard.at(-1)?.resources).toEqual([]);
    expect(heard.at(-1)?.resourceErrors).toMatchObject([
      { resourceName: { name }, errorDetail: { code: 5, message: expect.stringMatching(message) } },
    ]);
  });
});

describe('options', () => {
  it.each([
    [{ resourceTtlMs: { eds: 50 } }, /resourceTtlMs.eds: got 50, want 100–2147483647 ms/],
    [{ resourceTtlMs: JSON.parse('{"sds":1000}') }, /resourceTtlMs.sds: want one of lds, rds, cds, eds/],
    [{ loadReportingIntervalMs: 0 }, /loadReportingIntervalMs: got 0, want 100–2147483647 ms/],
  ])('%j is refused', (options, message) => {
    expect(() => start(options)).toThrow(message);
  });
});
