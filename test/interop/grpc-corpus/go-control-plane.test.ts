import type { JsonObject } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../../sdk/src/mesh.ts';
import { buildControlPlane, type ControlPlane, startControlPlane } from '../control-plane-go/control-plane.ts';
import { type Backend, startBackend } from '../grpc-peers/backend.ts';
import { METHOD } from '../grpc-peers/peer.ts';

/** The SDK at go-control-plane, state of the world and delta, with what is odd about it. */

const BINARY = buildControlPlane();
const API = 'type.googleapis.com/envoy';
const ADS = { ads: {}, resource_api_version: 'V3' };

const backends: Backend[] = [];
const closers: (() => unknown)[] = [];

const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 50 });

beforeAll(async () => {
  for (const name of ['v1', 'v2']) backends.push(await startBackend(name));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  for (const backend of backends) await backend.close();
});

const assignment = (name: string, version: string): JsonObject => ({
  '@type': `${API}.config.endpoint.v3.ClusterLoadAssignment`,
  cluster_name: name,
  endpoints: [
    {
      load_balancing_weight: 1,
      locality: { region: 'here' },
      lb_endpoints: backends
        .filter((one) => one.name === version)
        .map(({ port }) => ({ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } })),
    },
  ],
});

/** One host, its calls going to one backend; `isStatic`: the cluster has its endpoints itself. */
const host = (name: string, version: string, isStatic = false): JsonObject[] => {
  const { '@type': _, ...inline } = assignment(name, version);
  const eds = { type: 'EDS', eds_cluster_config: { eds_config: ADS } };
  return [
    {
      '@type': `${API}.config.listener.v3.Listener`,
      name: `${name}:7070`,
      api_listener: {
        api_listener: {
          '@type': `${API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
          rds: { route_config_name: name, config_source: ADS },
          http_filters: [
            { name: 'router', typed_config: { '@type': `${API}.extensions.filters.http.router.v3.Router` } },
          ],
        },
      },
    },
    {
      '@type': `${API}.config.route.v3.RouteConfiguration`,
      name,
      virtual_hosts: [{ name, domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: name } }] }],
    },
    {
      '@type': `${API}.config.cluster.v3.Cluster`,
      name,
      ...(isStatic ? { type: 'STATIC', load_assignment: inline } : eds),
    },
    ...(isStatic ? [] : [assignment(name, version)]),
  ];
};

async function start(options: { readonly ads: boolean; readonly xds?: string }): Promise<ControlPlane> {
  const plane = await startControlPlane(BINARY ?? '', options);
  closers.push(() => plane.stop());
  return plane;
}

interface Caller {
  readonly mesh: Mesh;
  /** The backend, or `!STATUS`. */
  call(name: string, deadlineMs?: number): Promise<string>;
}

function startCaller({ xds }: ControlPlane, protocol: 'sotw' | 'delta'): Caller {
  const bootstrap = {
    xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'inmesh' },
  };
  const mesh = createMesh({ protocol }, { env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } });
  closers.push(() => mesh.close());
  const clients = new Map<string, Client>();
  closers.push(() => {
    for (const client of clients.values()) client.close();
  });
  return {
    mesh,
    call(name, deadlineMs = 30_000) {
      const client = clients.get(name) ?? new Client(`xds:///${name}:7070`, credentials.createInsecure(), mesh.grpc());
      clients.set(name, client);
      return callOf(client, deadlineMs);
    },
  };
}

const pass = (bytes: Buffer): Buffer => bytes;

const callOf = (client: Client, deadlineMs: number): Promise<string> =>
  new Promise((resolve) => {
    const done = (error: ServiceError | null, body?: Buffer): void =>
      resolve(error ? `!${status[error.code]} ${error.details}` : JSON.parse(String(body)).backend);
    const options = { deadline: Date.now() + deadlineMs };
    client.makeUnaryRequest(METHOD, pass, pass, Buffer.alloc(0), new Metadata({ waitForReady: true }), options, done);
  });

/** Calls without a pause until it is told to stop; what they came to. */
function load({ call }: Caller, name: string): () => Promise<readonly string[]> {
  const met = new Set<string>();
  let isOver = false;
  const calling = (async () => {
    while (!isOver) met.add(await call(name));
  })();
  return async () => {
    isOver = true;
    await calling;
    return [...met].sort();
  };
}

describe.skipIf(BINARY === undefined).each([
  ['sotw', false],
  ['sotw', true],
  ['delta', false],
  ['delta', true],
] as const)('%s at a control plane with ads=%s', (protocol, ads) => {
  it('follows what is served, through streams that are cut under calls', async () => {
    const plane = await start({ ads });
    await plane.serve(host('a', 'v1'));
    const caller = startCaller(plane, protocol);
    expect(await caller.call('a')).toBe('v1');
    const stop = load(caller, 'a');
    await plane.serve(host('a', 'v2'));
    await until(() => caller.call('a')).toBe('v2');
    expect(await plane.drop()).toBeGreaterThan(0);
    await plane.serve(host('a', 'v1'));
    await until(() => caller.call('a')).toBe('v1');
    expect(await stop()).toEqual(['v1', 'v2']);
    expect(await plane.nacks()).toEqual([]);
  });

  it('calls go on while it is away; another one in its place is followed', async () => {
    const plane = await start({ ads });
    await plane.serve(host('a', 'v1'), undefined, 'before');
    const caller = startCaller(plane, protocol);
    expect(await caller.call('a')).toBe('v1');
    const stop = load(caller, 'a');
    await plane.stop();
    expect(await caller.call('a')).toBe('v1');
    const next = await start({ ads, xds: plane.xds });
    await next.serve(host('a', 'v2'), undefined, 'after');
    await until(() => caller.call('a')).toBe('v2');
    expect(await stop()).toEqual(['v1', 'v2']);
    expect(await next.nacks()).toEqual([]);
  });

  it('has no use for what it has left: clusters that bring their endpoints, and back', async () => {
    const plane = await start({ ads });
    await plane.serve([...host('a', 'v1'), ...host('b', 'v2')]);
    const caller = startCaller(plane, protocol);
    // With ads=true the state of the world is told to those who ask for all of it.
    const [a, b] = await Promise.all([caller.call('a'), caller.call('b')]);
    expect([a, b]).toEqual(['v1', 'v2']);
    const stop = load(caller, 'a');
    // Now it asks for no endpoints at all: to some that means all there are.
    await plane.serve([...host('a', 'v2', true), ...host('b', 'v1', true), assignment('c', 'v1')]);
    await until(() => caller.call('a')).toBe('v2');
    await until(() => caller.call('b')).toBe('v1');
    await plane.serve([...host('a', 'v1'), ...host('b', 'v2')]);
    await until(() => caller.call('a')).toBe('v1');
    await until(() => caller.call('b')).toBe('v2');
    expect((await stop()).filter((one) => one.startsWith('!'))).toEqual([]);
    expect(await plane.nacks()).toEqual([]);
  });
});

describe.skipIf(BINARY === undefined)('sotw at a control plane with ads=true', () => {
  it('a host waits until every other of the snapshot is asked for, which the control plane wants; then all are served', async () => {
    const plane = await start({ ads: true });
    await plane.serve([...host('a', 'v1'), ...host('b', 'v2')]);
    const caller = startCaller(plane, 'sotw');
    expect(await caller.call('a', 1_500)).toMatch(/^!/);
    expect(await caller.call('b')).toBe('v2');
    expect(await caller.call('a')).toBe('v1');
    expect(await plane.nacks()).toEqual([]);
  });
});
