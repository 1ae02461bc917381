import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { FaultServer } from '../../harness/fault-server.ts';
import { clusterOf, hostsOf, mirrorOf, type PolicyCase } from './case.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

/** The resources of a case in protobuf JSON, as Envoy reads them in a bootstrap. */
export interface CaseResources {
  readonly manager: JsonObject;
  readonly routes: JsonObject;
  readonly clusters: readonly JsonObject[];
}

export function resourcesOf(policyCase: PolicyCase, servers: readonly FaultServer[]): CaseResources {
  const { name, route = {}, routeExtra = {}, virtualHost = {}, manager = {}, filters = [], mirrors } = policyCase;
  const routes: JsonObject = {
    name,
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            name: 'only',
            match: { prefix: '/' },
            route: named({ cluster: name, ...route }, policyCase),
            ...routeExtra,
          },
        ],
        ...virtualHost,
      },
    ],
  };
  return {
    manager: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      generate_request_id: false,
      // A body that breaks off is seen at once, not when Envoy has lingered.
      delayed_close_timeout: '0s',
      ...manager,
      http_filters: [
        ...filters,
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
        },
      ],
    },
    routes,
    clusters: [
      cluster(
        policyCase,
        clusterOf(policyCase),
        servers.filter(({ isMirror }) => !isMirror),
      ),
      ...(mirrors
        ? [
            mirrorCluster(
              mirrorOf(policyCase),
              servers.filter(({ isMirror }) => isMirror),
            ),
          ]
        : []),
    ],
  };
}

/** Puts the name of the second cluster where `MIRROR` stands. */
function named(value: JsonObject, policyCase: PolicyCase): JsonObject {
  return JSON.parse(JSON.stringify(value).replaceAll('"MIRROR"', JSON.stringify(mirrorOf(policyCase)))) as JsonObject;
}

function cluster(policyCase: PolicyCase, name: string, servers: readonly FaultServer[]): JsonObject {
  const hosts = hostsOf(policyCase);
  const isHttp2 = hosts.some(({ protocol }) => protocol === 'h2');
  const priorities = [...new Set(hosts.map(({ priority = 0 }) => priority))].sort();
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    ...protocolOptions(isHttp2, policyCase.connection),
    ...policyCase.cluster,
    load_assignment: {
      cluster_name: name,
      ...policyCase.assignment,
      endpoints: priorities.map((priority) => ({
        priority,
        locality: { region: `r${priority}` },
        lb_endpoints: servers.filter((_, at) => (hosts[at]?.priority ?? 0) === priority).map(endpoint),
      })),
    },
  };
}

const mirrorCluster = (name: string, servers: readonly FaultServer[]): JsonObject => ({
  name,
  type: 'STATIC',
  connect_timeout: '1s',
  load_assignment: {
    cluster_name: name,
    endpoints: [{ locality: { region: 'r' }, lb_endpoints: servers.map(endpoint) }],
  },
});

function protocolOptions(isHttp2: boolean, connection: JsonObject | undefined): JsonObject {
  if (!isHttp2 && connection === undefined) return {};
  return {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        ...(connection && { common_http_protocol_options: connection }),
        explicit_http_config: isHttp2 ? { http2_protocol_options: {} } : { http_protocol_options: {} },
      },
    },
  };
}

const endpoint = ({ port }: FaultServer): JsonValue => ({
  endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
});
