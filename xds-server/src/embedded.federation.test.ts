import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { HttpConnectionManagerSchema, ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { afterEach, expect, it } from 'vitest';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from './translate/resource-types.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  ports: [{name: http, port: 9080}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: reviews}
subsets: [{addresses: [{ip: 10.0.0.9}], ports: [{name: http, port: 9080}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - match: [{uri: {prefix: /split}}]
      route: [{destination: {host: reviews}, weight: 1}, {destination: {host: reviews}, weight: 1}]
      mirrors: [{destination: {host: reviews}}]
    - route: [{destination: {host: reviews}}]
`;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Asks one name after another on one stream. */
function ask(authorities?: readonly string[]) {
  const server = createXdsServer({ source: memorySource(YAML), ...(authorities && { authorities }) });
  closers.push(() => server.close());
  let heard: (bytes: Uint8Array) => void = () => {};
  const stream = server.transport().open('delta', { message: (bytes) => heard(bytes), close: () => {} });
  closers.push(() => stream.close());
  const node = { id: 'client', metadata: { NAMESPACE: 'default' } };
  return async (typeUrl: string, name: string): Promise<Uint8Array | undefined> => {
    const response = new Promise<Uint8Array>((resolve) => {
      heard = resolve;
    });
    const fields = { node, typeUrl, resourceNamesSubscribe: [name] };
    stream.send(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields)));
    const { resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, await response);
    expect([...resources.map((one) => one.name), ...removedResources]).toEqual([name]);
    return resources[0]?.resource?.value;
  };
}

it('leads from an xdstp listener to its endpoints by names of the same authority (gRFC A47)', async () => {
  const get = ask(['mesh.example']);
  const target = 'xdstp://mesh.example/envoy.config.listener.v3.Listener/reviews:9080';
  const listener = fromBinary(ListenerSchema, (await get(LISTENER_TYPE, target)) ?? new Uint8Array());
  const any = listener.apiListener?.apiListener;
  const specifier = any && anyUnpack(any, HttpConnectionManagerSchema)?.routeSpecifier;
  const routes = specifier?.case === 'rds' ? specifier.value.routeConfigName : '';
  expect(routes).toMatch(/^xdstp:\/\/mesh\.example\/envoy\.config\.route\.v3\.RouteConfiguration\/outbound%7C9080/);

  const table = fromBinary(RouteConfigurationSchema, (await get(ROUTE_TYPE, routes)) ?? new Uint8Array());
  expect(table.name).toBe(routes);
  const text = JSON.stringify(table, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
  const clusters = new Set(text.match(/[^"]*outbound(\||%7C)9080[^"]*/g)?.filter((name) => name !== routes));
  expect([...clusters]).toEqual([
    expect.stringMatching(/^xdstp:\/\/mesh\.example\/envoy\.config\.cluster\.v3\.Cluster\//),
  ]);

  const [name = ''] = clusters;
  const cluster = fromBinary(ClusterSchema, (await get(CLUSTER_TYPE, name)) ?? new Uint8Array());
  expect(cluster.name).toBe(name);
  const assignment = cluster.edsClusterConfig?.serviceName ?? '';
  const load = fromBinary(ClusterLoadAssignmentSchema, (await get(ENDPOINT_TYPE, assignment)) ?? new Uint8Array());
  expect(load.clusterName).toBe(assignment);
  expect(load.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)).toHaveLength(1);
});

it('says that names of authorities it does not serve do not exist, and has plain names beside', async () => {
  const get = ask();
  expect(await get(LISTENER_TYPE, 'xdstp://other/envoy.config.listener.v3.Listener/reviews:9080')).toBeUndefined();
  expect(await get(LISTENER_TYPE, 'xdstp:///envoy.config.listener.v3.Listener/reviews:9080')).toBeDefined();
  expect(await get(LISTENER_TYPE, 'xdstp://%%/')).toBeUndefined();
  expect(await get(LISTENER_TYPE, 'reviews:9080')).toBeDefined();
});
