import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTo, GET, POST } from '../../../sdk/src/wire/http2/peer.fixture.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { seededRandom } from '../../harness/seeded-random.ts';
import { bootstrap, type Json, listenerOn, staticCluster } from '../envoy-connect/tcp-proxy.ts';
import { findEnvoy, type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { echoes } from './echoes.ts';
import { type GoServer, goServer } from './go-server.ts';

/** Our client at Envoy, in front of a server of Go. */
const go = buildGoPeer('http2');
const binary = go === undefined ? undefined : findEnvoy();
const SEED = Number(process.env.INMESH_FUZZ_SEED ?? 9113);

const HTTP2: Json = { initial_stream_window_size: 65_535, initial_connection_window_size: 65_535 };
const PROTOCOLS = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const upstream = (port: number): Json =>
  staticCluster('go', [port], {
    typed_extension_protocol_options: {
      [PROTOCOLS.slice('type.googleapis.com/'.length)]: {
        '@type': PROTOCOLS,
        explicit_http_config: { http2_protocol_options: HTTP2 },
      },
    },
  });

const manager = (options: Json): Json => ({
  name: 'http',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'in',
    codec_type: 'HTTP2',
    http2_protocol_options: { ...HTTP2, ...options },
    proxy_100_continue: true,
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'go' } }] }],
    },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  },
});

describe.skipIf(binary === undefined).each<[string, Json]>([
  ['oghttp2', { use_oghttp2_codec: true }],
  ['nghttp2', { use_oghttp2_codec: false }],
  ['no table for headers', { hpack_table_size: 0 }],
])('Envoy with %s', (_, options) => {
  let server: GoServer;
  let envoy: RunningEnvoy;
  let port: number;
  beforeAll(async () => {
    server = await goServer(go ?? '');
    port = await freePort();
    const admin = await freePort();
    const listener = listenerOn(port, { filters: [manager(options)] });
    envoy = await startEnvoy(binary ?? '', bootstrap(admin, [listener], [upstream(server.port)]), admin);
  });
  afterAll(async () => {
    await envoy?.stop();
    server?.close();
  });
  const to = (path: string, head = GET): string[] => [...head.slice(0, -1), path];

  it(`has bodies back that are written in random pieces, read at a random pace, or given up (seed ${SEED})`, async () => {
    const connected = await connectTo(port, { streamWindow: 65_535, connectionWindow: 65_535 });
    await echoes(connected, seededRandom(SEED), { count: 90, atOnce: 30 });
    expect(connected.client.isOver).toBe(false);
    connected.client.destroy();
    expect(await connected.ended).toBeUndefined();
  });

  it('answers HEAD, 204, an answer before the request ends, one that is broken off; its table serves many headers', async () => {
    const connected = await connectTo(port);
    const { ask, client } = connected;
    const head = ask([':method', 'HEAD', ...to('/').slice(2)]).told;
    const none = ask(to('/none')).told;
    const early = ask(to('/early', POST), false).told;
    const broken = ask(to('/abort')).told;
    await Promise.all([head, none, early, broken].map((told) => told.closed));
    expect(head).toMatchObject({ status: 200, closedWith: 0, chunks: [] });
    expect(none).toMatchObject({ status: 204, closedWith: 0, chunks: [] });
    expect(early).toMatchObject({ status: 413, events: ['head', 'end', 'closed 0'] });
    expect(broken.closedWith).not.toBe(0);
    for (let i = 0; i < 200; i++) {
      const fields = ['x-same', 'as before', `x-${i % 20}`, `v${i % 3}`, 'x-long', 'l'.repeat((i * 37) % 900)];
      const { told } = ask([...to('/'), ...fields]);
      await told.closed;
      for (let at = 0; at < fields.length; at += 2) {
        expect(told.headers[told.headers.indexOf(fields[at] ?? '') + 1]).toBe(fields[at + 1]);
      }
    }
    expect(client.isOver).toBe(false);
    client.destroy();
    expect(await connected.ended).toBeUndefined();
  });
});
