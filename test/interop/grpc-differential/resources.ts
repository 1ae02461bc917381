import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { type CaseCluster, type CaseLocality, type GrpcCase, hostsOf, type Served, TARGET } from './case.ts';

const API = 'type.googleapis.com/envoy';
const ADS = { ads: {}, resource_api_version: 'V3' };

export type HostPorts = ReadonlyMap<string, { readonly address: string; readonly port: number }>;

/** A filter or policy by its type's name behind `envoy.extensions.`. */
export const typed = (type: string, fields: JsonObject = {}): JsonObject => ({
  '@type': `${API}.extensions.${type}`,
  ...fields,
});

export const filter = (name: string, type: string, fields: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  name,
  typed_config: typed(`filters.http.${type}`, fields),
  ...more,
});

export const ROUTER = filter('router', 'router.v3.Router');

/** What is served in a case, in protobuf JSON. */
export function resourcesOf(one: GrpcCase, served: Served, ports: HostPorts): readonly JsonObject[] {
  const route = `route-${one.name}`;
  const clusters = new Map<string, CaseCluster>(hostsOf(one).map(({ name }) => [name, { hosts: [name] }]));
  for (const [name, cluster] of Object.entries(served.clusters ?? {})) clusters.set(name, cluster);
  const all = [
    listenerOf(one, served, route),
    routesOf(served, route),
    ...[...clusters].flatMap(([name, cluster]) => clusterOf(name, cluster, ports)),
  ];
  return served.alter ? served.alter(all) : all;
}

const listenerOf = (one: GrpcCase, served: Served, route: string): JsonObject => ({
  '@type': `${API}.config.listener.v3.Listener`,
  name: one.listenerName ?? TARGET,
  api_listener: {
    api_listener: typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
      rds: { route_config_name: route, config_source: ADS },
      http_filters: served.allFilters ? [...served.allFilters] : [...(served.filters ?? []), ROUTER],
      ...served.manager,
    }),
  },
  ...served.listener,
});

const routesOf = (served: Served, name: string): JsonObject => ({
  '@type': `${API}.config.route.v3.RouteConfiguration`,
  name,
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [...(served.routes ?? [{ match: { prefix: '' }, route: { cluster: 'a' } }])],
      ...served.virtualHost,
    },
  ],
  ...served.routeConfig,
});

function clusterOf(name: string, cluster: CaseCluster, ports: HostPorts): readonly JsonObject[] {
  const { fields = {}, dns, localities, hosts, assignment } = cluster;
  const base = { '@type': `${API}.config.cluster.v3.Cluster`, name };
  if (dns) return [{ ...base, type: 'LOGICAL_DNS', load_assignment: byName(name, dns, ports), ...fields }];
  const eds = { type: 'EDS', eds_cluster_config: { eds_config: ADS } };
  const made = { ...base, ...('cluster_type' in fields ? {} : eds), ...HTTP2, ...fields };
  const places = localities ?? (hosts ? [{ hosts }] : []);
  if (localities === undefined && hosts === undefined && assignment === undefined) return [made];
  return [
    made,
    {
      '@type': `${API}.config.endpoint.v3.ClusterLoadAssignment`,
      cluster_name: name,
      endpoints: places.map((place, at) => localityOf(place, at, ports)),
      ...assignment,
    },
  ];
}

/** gRPC knows that it is HTTP/2; meshFetch is told. */
const HTTP2: JsonObject = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('upstreams.http.v3.HttpProtocolOptions', {
      explicit_http_config: { http2_protocol_options: {} },
    }),
  },
};

function localityOf(place: CaseLocality, at: number, ports: HostPorts): JsonValue {
  const { hosts, weight = 1, priority = 0, region = `r${at}` } = place;
  return {
    locality: { region },
    priority,
    ...(weight !== null && { load_balancing_weight: weight }),
    lb_endpoints: hosts.map((given) => {
      const { host, weight: own, health, metadata } = typeof given === 'string' ? { host: given } : given;
      return {
        endpoint: { address: addressOf(host, ports) },
        ...(own !== undefined && { load_balancing_weight: own }),
        ...(health !== undefined && { health_status: health }),
        ...(metadata !== undefined && { metadata }),
      };
    }),
  };
}

function addressOf(host: string, ports: HostPorts): JsonObject {
  const place = ports.get(host);
  if (place === undefined) throw new Error(`no host ${host}`);
  return { socket_address: { address: place.address, port_value: place.port } };
}

const byName = (name: string, dns: NonNullable<CaseCluster['dns']>, ports: HostPorts): JsonObject => ({
  cluster_name: name,
  endpoints: [
    {
      lb_endpoints: [
        {
          endpoint: {
            address: { socket_address: { address: dns.address, port_value: ports.get(dns.host)?.port ?? 0 } },
          },
        },
      ],
    },
  ],
});
