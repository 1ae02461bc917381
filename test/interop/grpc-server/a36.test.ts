import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMesh } from '../../../sdk/src/index.ts';
import { guard } from '../../../sdk/src/server/index.ts';
import { buildControlPlane, type ControlPlane, startControlPlane } from '../control-plane-go/control-plane.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { buildGrpcGo, findGrpcio, startGrpcPeer } from '../identity-live/grpc-peers.ts';
import { A36_CASES, type A36Case } from './a36-cases.ts';
import { echoServer } from './guarded.ts';

/** The same listeners of go-control-plane for a guarded server of grpc-js, and for the servers of grpc-go and grpcio. */

const LISTENER = 'type.googleapis.com/envoy.config.listener.v3.Listener';
const ROUTES = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';
const binary = buildControlPlane();
const isFull = process.env.INMESH_INTEROP !== 'brief';

type Serve = (place: { readonly port: number; readonly bootstrap: object }) => Promise<() => unknown>;

const guarded: Serve = async ({ port, bootstrap }) => {
  const mesh = createMesh({}, { env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } });
  const server = guard(echoServer(), { mesh, host: '127.0.0.1', fallback: 'STRICT', configTimeoutMs: 60_000 });
  server.listen(port).catch(() => {});
  return async () => {
    await server.close({ graceMs: 0 });
    await mesh.close();
  };
};
const peer =
  (command: readonly string[] | undefined): Serve =>
  async ({ port, bootstrap }) => {
    const started = startGrpcPeer(command ?? [], 'serve', `127.0.0.1:${port}`, bootstrap);
    return () => started.stop();
  };
const GO = buildGrpcGo();
const PYTHON = findGrpcio();

describe.each([
  ['a guarded server of grpc-js', guarded, true],
  ['grpc-go', peer(GO), GO !== undefined && isFull],
  ['grpcio', peer(PYTHON), PYTHON !== undefined && isFull],
] as const)('%s by gRFC A36', (name, serve, isHere) => {
  let plane: ControlPlane;
  beforeAll(async () => {
    if (binary !== undefined && isHere) plane = await startControlPlane(binary);
  });
  afterAll(() => plane?.stop());

  it.skipIf(binary === undefined || !isHere).each(A36_CASES.map((one, index) => ({ ...one, index })))(
    '$rule: $outcome',
    async ({ index, ...one }) => {
      const port = await freePort();
      const group = `case${index}`;
      await plane.serve(resourcesOf(one, port), group);
      const bootstrap = bootstrapOf(plane, `${group}/${name}`);
      const stop = await serve({ port, bootstrap });
      try {
        const { error } = await plane.until(
          (entry) => entry.kind === 'request' && entry.type === LISTENER && !!entry.nonce,
          group,
        );
        const outcome = name === 'grpc-go' ? (one.go ?? one.outcome) : one.outcome;
        expect(error === undefined ? 'taken' : 'refused').toBe(outcome === 'refused' ? 'refused' : 'taken');
        await expect
          .poll(() => call(port, one), { timeout: 30_000, interval: 50 })
          .toBe(outcome === 'answered' ? 'OK' : 'UNAVAILABLE');
      } finally {
        await stop();
      }
    },
  );
});

describe.skipIf(binary === undefined)('a guarded server whose listener changes', () => {
  const RBAC: A36Case = {
    rule: 'RBAC',
    listener: {
      filterChains: [
        {
          filters: [
            {
              name: 'http',
              typedConfig: {
                '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
                routeConfig: {
                  virtualHosts: [
                    { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, nonForwardingAction: {} }] },
                  ],
                },
                httpFilters: [
                  {
                    name: 'rbac',
                    typedConfig: { '@type': `${EXTENSIONS}.http.rbac.v3.RBAC`, rules: { action: 'DENY' } },
                  },
                  { name: 'router', typedConfig: { '@type': `${EXTENSIONS}.http.router.v3.Router` } },
                ],
              },
            },
          ],
        },
      ],
    },
    outcome: 'refused',
  };
  const caseOf = (rule: string): A36Case => A36_CASES.find((one) => one.rule === rule) ?? RBAC;
  const OPEN = caseOf('one route for everything');
  const SHUT = caseOf('no routes at all');
  const setUp = async (first: A36Case) => {
    const plane = await startControlPlane(binary ?? '');
    const port = await freePort();
    const states: string[] = [];
    await plane.serve(resourcesOf(first, port));
    const bootstrap = bootstrapOf(plane, 'server');
    const mesh = createMesh({}, { env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } });
    const server = guard(echoServer(), {
      mesh,
      fallback: 'DISABLE',
      configTimeoutMs: 60_000,
      onServing: () => states.push('serving'),
      onNotServing: (error) => states.push(error.message),
    });
    const listening = server.listen({ port, host: '127.0.0.1' });
    const stop = async (): Promise<void> => {
      await server.close({ graceMs: 0 });
      await mesh.close();
      await plane.stop();
    };
    return { plane, port, states, listening, stop, serve: (one: A36Case) => plane.serve(resourcesOf(one, port)) };
  };
  const until = (what: () => unknown) => expect.poll(what, { timeout: 30_000, interval: 20 });

  it('never serves one that requires authorization, and serves as soon as that is mended', async () => {
    const { plane, port, states, listening, stop, serve } = await setUp(RBAC);
    await until(() => states.length).toBe(1);
    expect(states[0]).toContain('authorization is not enforced here yet');
    expect(await call(port, RBAC)).toBe('UNAVAILABLE');
    expect((await plane.nacks())[0]?.error?.message).toContain('authorization is not enforced here yet');
    await serve(OPEN);
    await listening;
    expect(states[1]).toBe('serving');
    expect(await call(port, OPEN)).toBe('OK');
    await stop();
  });

  it('goes on by the last good one when the next requires it, or is deleted', async () => {
    const { plane, port, states, listening, stop, serve } = await setUp(OPEN);
    await listening;
    await serve(RBAC);
    await until(async () => (await plane.nacks()).length).toBeGreaterThan(0);
    expect(await call(port, OPEN)).toBe('OK');
    await plane.serve([]);
    await plane.until(({ kind, type, names }) => kind === 'request' && type === LISTENER && names?.length === 1);
    expect(await call(port, OPEN)).toBe('OK');
    await serve(SHUT);
    await until(() => call(port, OPEN)).toBe('UNAVAILABLE');
    await serve(OPEN);
    await until(() => call(port, OPEN)).toBe('OK');
    expect(states).toEqual(['serving']);
    await stop();
  });
});

const bootstrapOf = (plane: ControlPlane, id: string) => ({
  xds_servers: [{ server_uri: plane.xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
  node: { id, locality: {} },
  server_listener_resource_name_template: 'server/%s',
});

function resourcesOf({ listener, routes }: A36Case, port: number) {
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } };
  return [
    { '@type': LISTENER, name: `server/127.0.0.1:${port}`, address, ...listener },
    ...(routes === undefined ? [] : [{ '@type': ROUTES, ...routes }]),
  ];
}

function call(port: number, { metadata = {} }: A36Case): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const headers = Metadata.fromHttp2Headers(metadata);
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    client.makeUnaryRequest('/echo.Echo/Say', asIs, asIs, Buffer.alloc(0), headers, options, (error) => {
      client.close();
      resolve(error === null ? 'OK' : (status[error.code] ?? ''));
    });
  });
}
