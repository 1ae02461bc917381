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
const binary = buildControlPlane();
const isFull = process.env.INMESH_INTEROP_FULL === '1';

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
      const bootstrap = {
        xds_servers: [{ server_uri: plane.xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
        node: { id: `${group}/${name}`, locality: {} },
        server_listener_resource_name_template: 'server/%s',
      };
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
