import type { TcpProxy } from '../../../gen/listener.js';
import { defaultOf } from '../../defaults.ts';
import type { ConnectionChain, WeightedConnection } from '../../model/l4.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange, required } from '../values.ts';

const UINT32_MAX = 4_294_967_295;

type Proxied = Omit<ConnectionChain, 'serverNames' | 'destinations' | 'port' | 'configPath'>;

/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. */
export function decodeTcpProxy(message: TcpProxy, at: Scope): Proxied {
  const maxDurationMs = durationMs(
    message.maxDownstreamConnectionDuration,
    at.at('max_downstream_connection_duration'),
  );
  const { maxConnectAttempts = 1 } = message;
  return {
    clusters: decodeClusters(message, at),
    idleTimeoutMs: durationMs(message.idleTimeout, at.at('idle_timeout')) ?? defaultOf('tcpIdleMs'),
    ...(maxDurationMs !== undefined && { maxDurationMs }),
    connectAttempts: inRange(maxConnectAttempts, 1, UINT32_MAX, at.at('max_connect_attempts')),
    hashSourceIp: decodeHashPolicy(message, at.at('hash_policy')),
  };
}

function decodeClusters({ clusterSpecifier }: TcpProxy, at: Scope): WeightedConnection[] {
  if (clusterSpecifier.case === 'cluster') {
    return [{ cluster: required(clusterSpecifier.value, at.at('cluster')), weight: 1 }];
  }
  if (clusterSpecifier.case === undefined) {
    at.error('no cluster, cluster or weighted_clusters allowed');
    return [];
  }
  const list = at.at('weighted_clusters').at('clusters');
  const clusters = clusterSpecifier.value.clusters.map(({ name, weight }, index) => ({
    cluster: required(name, list.at(index).at('name')),
    weight: inRange(weight, 1, UINT32_MAX, list.at(index).at('weight')),
  }));
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (total < 1 || total > UINT32_MAX) list.error(`the weights' sum is ${total}, 1 to ${UINT32_MAX} allowed`);
  return clusters;
}

/** At most one policy (Envoy TcpProxy.hash_policy max_items). */
function decodeHashPolicy({ hashPolicy }: TcpProxy, at: Scope): boolean {
  if (hashPolicy.length > 1) at.error(`${hashPolicy.length} policies, one allowed`);
  return hashPolicy[0]?.policySpecifier.case === 'sourceIp';
}
