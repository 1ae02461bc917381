import type { DescMessage, Message, MessageInitShape } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType, ClusterSchema } from '../../sdk/gen/cluster.js';
import { ClusterLoadAssignmentSchema } from '../../sdk/gen/endpoint.js';
import { HttpConnectionManagerSchema, ListenerSchema, RouterSchema, TcpProxySchema } from '../../sdk/gen/listener.js';
import { RouteConfigurationSchema, type RouteSchema } from '../../sdk/gen/route.js';
import { anyOf } from './scripted-ads.ts';

/** Small well-formed resources, to be varied by a test. */

const router = { name: 'router', configType: { case: 'typedConfig', value: anyOf(RouterSchema, {}) } } as const;

const ads = { configSourceSpecifier: { case: 'ads', value: {} } } as const;

type Fields<D extends DescMessage> = Exclude<MessageInitShape<D>, Message>;

const manager = (routes: string, extra: Fields<typeof HttpConnectionManagerSchema> = {}) =>
  anyOf(HttpConnectionManagerSchema, {
    routeSpecifier: { case: 'rds', value: { routeConfigName: routes, configSource: ads } },
    httpFilters: [router],
    ...extra,
  });

export function listener(name: string, routes: string, extra: Fields<typeof HttpConnectionManagerSchema> = {}) {
  return anyOf(ListenerSchema, { name, apiListener: { apiListener: manager(routes, extra) } });
}

/** The same with one filter chain, whose connections are shared by the clusters. */
export function listenerWithChain(name: string, routes: string, ...clusters: string[]) {
  const weightedClusters = { clusters: clusters.map((cluster) => ({ name: cluster, weight: 1 })) };
  const proxy = anyOf(TcpProxySchema, { clusterSpecifier: { case: 'weightedClusters', value: weightedClusters } });
  const filters = [{ name: 'tcp', configType: { case: 'typedConfig', value: proxy } } as const];
  return anyOf(ListenerSchema, { name, apiListener: { apiListener: manager(routes) }, filterChains: [{ filters }] });
}

export type RouteInit = MessageInitShape<typeof RouteSchema>;

export const toCluster = (cluster: string, prefix = '/'): RouteInit => ({
  name: cluster,
  match: { pathSpecifier: { case: 'prefix', value: prefix } },
  action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster } } },
});

export function routes(name: string, ...list: RouteInit[]) {
  return anyOf(RouteConfigurationSchema, { name, virtualHosts: [{ name: 'host', domains: ['*'], routes: list }] });
}

export function cluster(name: string, extra: Fields<typeof ClusterSchema> = {}) {
  return anyOf(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    ...extra,
  });
}

export const lbEndpoint = (address: string, port: number) =>
  ({
    hostIdentifier: {
      case: 'endpoint',
      value: {
        address: {
          address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
        },
      },
    },
  }) as const;

export const endpoints = (name: string, ...ports: number[]) => endpointsAt(name, '10.0.0.1', ...ports);

export function endpointsAt(name: string, address: string, ...ports: number[]) {
  return anyOf(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: [{ locality: { region: 'r' }, lbEndpoints: ports.map((port) => lbEndpoint(address, port)) }],
  });
}
