import { clusterName } from '../../translate/names.ts';
import { UsageError } from '../usage.ts';
import type { BootstrapClient, Outbound } from './client.ts';

const ENVOY = 'type.googleapis.com/envoy.extensions';
const CONTROL_PLANE = 'control-plane';
const ADS = { ads: {}, resource_api_version: 'V3' };

/**
 * A bootstrap of Envoy (`envoy -c`): delta ADS, and a listener for each target, whose routes, clusters, endpoints and secrets come
 * from the control plane when they are first needed.
 */
export function envoyBootstrap(client: BootstrapClient): object {
  const { id, cluster, metadata, locality, outbound, admin, authorities } = client;
  if (authorities.size > 0) throw new UsageError('--authority: Envoy asks for plain names');
  return {
    node: {
      id,
      cluster,
      metadata,
      locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
    },
    admin: { address: addressOf(admin) },
    dynamic_resources: {
      ads_config: { api_type: 'DELTA_GRPC', transport_api_version: 'V3', grpc_services: [grpcService(client)] },
    },
    static_resources: {
      listeners: outbound.map(listener),
      // Over a token file Google's gRPC speaks to the control plane, and needs no cluster for it.
      clusters: client.tokenFile === undefined ? [controlPlane(client)] : [],
    },
  };
}

function grpcService(client: BootstrapClient): object {
  const { servers, tokenFile } = client;
  if (tokenFile === undefined) return { envoy_grpc: { cluster_name: CONTROL_PLANE } };
  const [first, ...others] = servers;
  if (first?.isTls !== true || others.length > 0)
    throw new UsageError('--token-file: Envoy sends it to one --xds tls://HOST:PORT');
  return {
    google_grpc: {
      target_uri: first.address,
      stat_prefix: CONTROL_PLANE,
      channel_credentials: { ssl_credentials: rootsOf(client) === undefined ? {} : { root_certs: trusted(client) } },
      // Read anew for each stream, so that a token may be replaced.
      credentials_factory_name: 'envoy.grpc_credentials.file_based_metadata',
      call_credentials: [
        {
          from_plugin: {
            name: 'envoy.grpc_credentials.file_based_metadata',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig',
              secret_data: { filename: tokenFile },
              header_key: 'authorization',
              header_prefix: 'Bearer ',
            },
          },
        },
      ],
    },
  };
}

const rootsOf = ({ roots, files }: BootstrapClient): string | undefined => roots ?? files?.roots;

const trusted = (client: BootstrapClient): object => ({ filename: rootsOf(client) });

/** The others take over where the first cannot be reached. */
function controlPlane(client: BootstrapClient): object {
  const { servers } = client;
  const isTls = servers.some((server) => server.isTls);
  if (isTls && !servers.every((server) => server.isTls))
    throw new UsageError('--xds: Envoy takes TLS for all of them or for none');
  if (isTls && rootsOf(client) === undefined)
    throw new UsageError('--ca-root: wanted for --xds tls://…, as Envoy trusts anybody where it is told of no roots');
  return {
    name: CONTROL_PLANE,
    type: servers.every(({ address }) => isLiteral(address)) ? 'STATIC' : 'STRICT_DNS',
    // A name may have addresses of either family, and be listened to on one.
    dns_lookup_family: 'ALL',
    connect_timeout: '5s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${ENVOY}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '20s' } },
        },
      },
    },
    load_assignment: {
      cluster_name: CONTROL_PLANE,
      endpoints: servers.map(({ address }, priority) => ({
        priority,
        lb_endpoints: [{ endpoint: { address: addressOf(address) } }],
      })),
    },
    ...(isTls && { transport_socket: tls(client) }),
  };
}

/** The certificate is for the name that is dialled. */
function tls(client: BootstrapClient): object {
  const [name = ''] = client.servers.map(({ address }) => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  const { files } = client;
  const isAddress = isLiteral(`${name}:0`) || name.includes(':');
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${ENVOY}.transport_sockets.tls.v3.UpstreamTlsContext`,
      ...(!isAddress && { sni: name }),
      common_tls_context: {
        alpn_protocols: ['h2'],
        ...(files !== undefined && {
          tls_certificates: [
            { certificate_chain: { filename: files.certificate }, private_key: { filename: files.key } },
          ],
        }),
        validation_context: {
          trusted_ca: trusted(client),
          match_typed_subject_alt_names: [{ san_type: isAddress ? 'IP_ADDRESS' : 'DNS', matcher: { exact: name } }],
        },
      },
    },
  };
}

/** `unix:PATH`, `[v6]:port` or dotted digits: nothing to be resolved. */
const isLiteral = (address: string): boolean =>
  address.startsWith('unix:') || address.startsWith('[') || /^\d+(\.\d+){3}:\d+$/.test(address);

function addressOf(text: string): object {
  if (text.startsWith('unix:')) return { pipe: { path: text.slice('unix:'.length) } };
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { socket_address: { address, port_value: Number(text.slice(colon + 1)) } };
}

/** Whatever host a caller names, it is for the target: routes are looked up by it. */
function listener({ host, port, address }: Outbound): object {
  const name = `${host}:${port}`;
  return {
    name,
    address: addressOf(address),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${ENVOY}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              codec_type: 'AUTO',
              rds: { route_config_name: clusterName({ port, subset: '', host }), config_source: ADS },
              http_filters: [named(name), ...HTTP_FILTERS],
            },
          },
        ],
      },
    ],
  };
}

/** Lua: header mutations may not touch a host. */
const named = (authority: string): object => ({
  name: 'envoy.filters.http.lua',
  typed_config: {
    '@type': `${ENVOY}.filters.http.lua.v3.Lua`,
    default_source_code: {
      inline_string: `function envoy_on_request(handle)
  handle:headers():replace(":authority", "${authority}")
  handle:clearRouteCache()
end`,
    },
  },
});

/** A cluster that a route names is asked for when it is first used; faults are those of the routes. */
const HTTP_FILTERS: readonly object[] = [
  {
    name: 'envoy.filters.http.on_demand',
    typed_config: {
      '@type': `${ENVOY}.filters.http.on_demand.v3.OnDemand`,
      odcds: { source: ADS, timeout: '15s' },
    },
  },
  { name: 'envoy.filters.http.fault', typed_config: { '@type': `${ENVOY}.filters.http.fault.v3.HTTPFault` } },
  { name: 'envoy.filters.http.router', typed_config: { '@type': `${ENVOY}.filters.http.router.v3.Router` } },
];
