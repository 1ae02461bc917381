import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { objectsOf, viewFrom, worldFromObjects } from '../../../xds-server/src/translate/fixtures/world-from-yaml.ts';
import { inboundListener } from '../../../xds-server/src/translate/inbound/listener.ts';
import type { World } from '../../harness/secure-world.ts';
import { type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';

const ENVOY = 'type.googleapis.com/envoy.extensions';
const ADS = { ads: {}, resource_api_version: 'V3' };

export interface EnvoyOptions {
  readonly account: string;
  /** In place of its account's token. */
  readonly token?: string;
  /** How it speaks to the control plane. */
  readonly api?: 'DELTA_GRPC' | 'GRPC';
  /** Secrets over the secret service in place of ADS. */
  readonly secretService?: boolean;
  readonly listeners?: readonly object[];
  readonly clusters?: readonly object[];
}

export interface MeshEnvoy extends RunningEnvoy {
  /** By name of the listener. */
  port(listener: string): Promise<number>;
  counter(name: string): Promise<number>;
}

/** An Envoy that proves by a token who it is and has its certificate and the mesh's roots by SDS. */
export async function startMeshEnvoy(binary: string, world: World, options: EnvoyOptions): Promise<MeshEnvoy> {
  const adminPort = await freePort();
  const envoy = await startEnvoy(binary, await bootstrap(world, options, adminPort), adminPort);
  world.onClose(() => envoy.stop());
  return {
    ...envoy,
    async port(listener) {
      for (;;) {
        const { listener_statuses = [] } = JSON.parse(await envoy.admin('/listeners?format=json')) as Listeners;
        const found = listener_statuses.find(({ name }) => name === listener);
        if (found !== undefined) return found.local_address.socket_address.port_value;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async counter(name) {
      const filter = encodeURIComponent(`^${name.replaceAll(/[.|]/g, '\\$&')}$`);
      const { stats } = JSON.parse(await envoy.admin(`/stats?format=json&filter=${filter}`)) as Stats;
      return stats.find((one) => one.name === name)?.value ?? 0;
    },
  };
}

interface Listeners {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

interface Stats {
  readonly stats: readonly { readonly name?: string; readonly value?: number }[];
}

async function bootstrap(world: World, options: EnvoyOptions, adminPort: number): Promise<object> {
  const { account, api = 'DELTA_GRPC', secretService = false, listeners = [], clusters = [] } = options;
  const token = options.token ?? (await world.token(account));
  const source = (kind: string): object => ({
    api_type: kind,
    transport_api_version: 'V3',
    grpc_services: [
      {
        envoy_grpc: { cluster_name: 'control-plane' },
        initial_metadata: [{ key: 'authorization', value: `Bearer ${token}` }],
      },
    ],
  });
  // What was translated asks over ADS; a mesh without it names the service itself.
  const own = JSON.stringify({ listeners, clusters: [controlPlane(world), ...clusters] });
  const sds = JSON.stringify({ resourceApiVersion: 'V3', apiConfigSource: source(api) });
  const ads = '"sdsConfig":{"ads":{},"resourceApiVersion":"V3"}';
  return {
    node: {
      id: `sidecar~127.0.0.1~${account}.shop~shop.svc.cluster.local`,
      cluster: `${account}.shop`,
      metadata: { NAMESPACE: 'shop', SERVICE_ACCOUNT: account, INSTANCE_IPS: '127.0.0.1', LABELS: { app: account } },
    },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: adminPort } } },
    dynamic_resources: { ads_config: source(api) },
    static_resources: JSON.parse(secretService ? own.replaceAll(ads, `"sdsConfig":${sds}`) : own),
  };
}

const controlPlane = ({ securePort, rootsFile }: World): object => ({
  name: 'control-plane',
  type: 'STATIC',
  connect_timeout: '5s',
  typed_extension_protocol_options: HTTP2,
  load_assignment: assignment('control-plane', securePort),
  transport_socket: {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${ENVOY}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: 'localhost',
      common_tls_context: {
        alpn_protocols: ['h2'],
        validation_context: {
          trusted_ca: { filename: rootsFile },
          match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'localhost' } }],
        },
      },
    },
  },
});

const HTTP2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': `${ENVOY}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  },
};

const assignment = (cluster_name: string, port: number): object => ({
  cluster_name,
  endpoints: [
    { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }] },
  ],
});

export const plainCluster = (name: string, port: number): object => ({
  name,
  type: 'STATIC',
  connect_timeout: '5s',
  load_assignment: assignment(name, port),
});

const router = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${ENVOY}.filters.http.router.v3.Router` },
};

/** Calls in plain go to the cluster that `x-cluster` names, which is asked for over ADS when it is first needed. */
export const outbound = (name = 'outbound'): object => ({
  name,
  address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: 'envoy.filters.network.http_connection_manager',
          typed_config: {
            '@type': `${ENVOY}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: name,
            // What the caller says of certificates goes on: the server has to deal with it.
            forward_client_cert_details: 'ALWAYS_FORWARD_ONLY',
            route_config: {
              name,
              virtual_hosts: [
                { name, domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }] },
              ],
            },
            http_filters: [
              {
                name: 'envoy.filters.http.on_demand',
                typed_config: {
                  '@type': `${ENVOY}.filters.http.on_demand.v3.OnDemand`,
                  odcds: { source: ADS, timeout: '15s' },
                },
              },
              router,
            ],
          },
        },
      ],
    },
  ],
});

/** The inbound listener as the control plane translates it for an Envoy, its requests forwarded to the cluster `app`. */
export function inbound(yaml: string, port: number, account = 'reviews'): object {
  const world = worldFromObjects(objectsOf(yaml));
  const view = viewFrom('shop', { kind: 'envoy', labels: new Map([['app', account]]) });
  const made = inboundListener(world, view, `xds.istio.io/grpc/lds/inbound/127.0.0.1:${port}`);
  if (made === undefined) throw new Error('no inbound listener');
  const json = toJson(ListenerSchema, made, { registry }) as JsonObject;
  return JSON.parse(
    JSON.stringify({ ...json, name: 'inbound' }).replaceAll('"nonForwardingAction":{}', '"route":{"cluster":"app"}'),
  );
}
