/** Two Envoys as sidecars stand: one beside the caller, one before the application. */

import { type RunningEnvoy, startEnvoy } from '../interop/envoy-hash/envoy.ts';
import { freePort } from '../interop/envoy-policy/free-port.ts';
import type { WorkloadCertificates } from './workload-certificates.ts';

const ENVOY = 'type.googleapis.com/envoy.extensions';

export interface PairOptions {
  readonly binary: string;
  /** The application's. */
  readonly port: number;
  /** TLS 1.3 between the Envoys, both with a certificate; plain text where absent. */
  readonly certificates?: WorkloadCertificates;
  readonly http2?: boolean;
  /** A connection between the two for each request. */
  readonly isFresh?: boolean;
  /** The application speaks HTTP/2, as gRPC does. */
  readonly isHttp2Origin?: boolean;
}

export interface EnvoyPair {
  /** Where the caller's Envoy listens, in plain. */
  readonly port: number;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export async function startPair(options: PairOptions): Promise<EnvoyPair> {
  const { binary, port, certificates } = options;
  const [first = 0, second = 0, ...admins] = await Promise.all(Array.from({ length: 4 }, freePort));
  const [one = 0, two = 0] = admins;
  const incoming = { port: second, to: port, admin: one, http2: options.isHttp2Origin === true };
  const outgoing = { port: first, to: second, admin: two };
  const envoys: RunningEnvoy[] = [
    await startEnvoy(binary, sidecar({ ...incoming, ...(certificates && { accepts: certificates.server }) }), one),
    await startEnvoy(binary, sidecar({ ...outgoing, ...options, port: first, ...dialling(certificates) }), two),
  ];
  return {
    port: first,
    pids: envoys.map(({ pid }) => pid),
    async stop() {
      await Promise.all(envoys.map((envoy) => envoy.stop()));
    },
  };
}

/** One alone, before an application that speaks gRPC, in clear. */
export async function startOne({ binary, port }: Pick<PairOptions, 'binary' | 'port'>): Promise<EnvoyPair> {
  const [own = 0, admin = 0] = await Promise.all([freePort(), freePort()]);
  const envoy = await startEnvoy(binary, sidecar({ port: own, to: port, admin, http2: true }), admin);
  return { port: own, pids: [envoy.pid], stop: () => envoy.stop() };
}

const dialling = (certificates: WorkloadCertificates | undefined) =>
  certificates === undefined ? {} : { dials: { own: certificates.client, expected: certificates.server.id } };

type Own = WorkloadCertificates['client'];

interface Sidecar {
  readonly port: number;
  readonly to: number;
  readonly admin: number;
  readonly accepts?: Own;
  readonly dials?: { readonly own: Own; readonly expected: string };
  readonly http2?: boolean;
  readonly isFresh?: boolean;
}

const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

/** Listens, routes with the policies that the mesh has, sends on. */
function sidecar(options: Sidecar): object {
  const { port, admin, accepts, dials } = options;
  const chain = { filters: [{ name: 'http', typed_config: manager() }] };
  const secrets = accepts ?? dials?.own;
  return {
    admin: { address: address(admin) },
    static_resources: {
      secrets: secrets === undefined ? [] : secretsOf(secrets),
      listeners: [
        {
          name: 'in',
          address: address(port),
          filter_chains: [accepts === undefined ? chain : { ...chain, transport_socket: downstream() }],
        },
      ],
      clusters: [next(options)],
    },
  };
}

function next({ to, dials, http2 = false, isFresh = false }: Sidecar): object {
  const protocol = http2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    name: 'next',
    type: 'STATIC',
    lb_policy: 'LEAST_REQUEST',
    outlier_detection: { consecutive_5xx: 5 },
    circuit_breakers: { thresholds: [{ max_connections: 1024, max_pending_requests: 1024, max_requests: 4096 }] },
    load_assignment: { cluster_name: 'next', endpoints: [{ lb_endpoints: [{ endpoint: { address: address(to) } }] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${ENVOY}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: protocol,
        ...(isFresh && { common_http_protocol_options: { max_requests_per_connection: 1 } }),
      },
    },
    ...(dials && { transport_socket: upstream(dials.expected, http2, isFresh) }),
  };
}

function manager(): object {
  const route = {
    cluster: 'next',
    timeout: '15s',
    retry_policy: { retry_on: '5xx,reset,connect-failure,refused-stream', num_retries: 2, per_try_timeout: '5s' },
  };
  const virtualHost = {
    name: 'all',
    domains: ['*'],
    routes: [
      ...Array.from({ length: 9 }, (_, index) => ({ match: { prefix: `/other/${index}` }, route })),
      { match: { prefix: '/' }, route, request_headers_to_add: [{ header: { key: 'x-mesh', value: 'bench' } }] },
    ],
  };
  return {
    '@type': `${ENVOY}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    route_config: { name: 'bench', virtual_hosts: [virtualHost] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${ENVOY}.filters.http.router.v3.Router` } }],
  };
}

/** Secrets without a source are those of the bootstrap. */
const secretsOf = ({ certificate, key, roots }: Own): object[] => [
  {
    name: 'default',
    tls_certificate: { certificate_chain: { inline_string: certificate }, private_key: { inline_string: key } },
  },
  { name: 'ROOTCA', validation_context: { trusted_ca: { inline_string: roots } } },
];

const VERSION = { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' };

const downstream = (): object => ({
  name: 'tls',
  typed_config: {
    '@type': `${ENVOY}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: {
      tls_params: VERSION,
      alpn_protocols: ['h2', 'http/1.1'],
      tls_certificate_sds_secret_configs: [{ name: 'default' }],
      validation_context_sds_secret_config: { name: 'ROOTCA' },
    },
  },
});

const upstream = (expected: string, http2: boolean, isFresh: boolean): object => ({
  name: 'tls',
  typed_config: {
    '@type': `${ENVOY}.transport_sockets.tls.v3.UpstreamTlsContext`,
    // By itself it resumes sessions; a new connection is to be a whole handshake, as everywhere else here.
    ...(isFresh && { max_session_keys: 0 }),
    common_tls_context: {
      tls_params: VERSION,
      alpn_protocols: [http2 ? 'h2' : 'http/1.1'],
      tls_certificate_sds_secret_configs: [{ name: 'default' }],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: expected } }],
        },
        validation_context_sds_secret_config: { name: 'ROOTCA' },
      },
    },
  },
});
