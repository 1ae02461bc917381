import type { JsonObject } from '@bufbuild/protobuf';
import { addressOf } from './hosts.ts';

/**
 * Endpoints of one locality and priority, a letter each: `H` healthy, `-` nothing said, `G` degraded, `U` unhealthy,
 * `D` draining, `T` timeout. Hosts are numbered through all groups.
 */
export interface Group {
  readonly hosts: string;
  /** 1 where absent. */
  readonly weights?: readonly number[];
  readonly priority?: number;
  readonly zone?: string;
  /** Of the locality; none where absent. */
  readonly weight?: number;
  /** The number of the first host, where it is not the next one. */
  readonly first?: number;
}

/** One cluster, in Envoy's words: what the balancers read of it. */
export interface BalanceCase {
  readonly name: string;
  /** Fields of Cluster: lb_policy, its settings, common_lb_config, load_balancing_policy. */
  readonly cluster?: JsonObject;
  readonly policy?: JsonObject;
  readonly groups: readonly Group[];
  /** EDS, so that endpoints can change. */
  readonly live?: boolean;
}

const HEALTH: Readonly<Record<string, string>> = {
  H: 'HEALTHY',
  '-': 'UNKNOWN',
  G: 'DEGRADED',
  U: 'UNHEALTHY',
  D: 'DRAINING',
  T: 'TIMEOUT',
};

/** The numbers of each group's hosts. */
export function numbered(groups: readonly Group[]): readonly (readonly number[])[] {
  let next = 0;
  return groups.map(({ hosts, first = next }) => {
    next = first + hosts.length;
    return Array.from(hosts, (_, index) => first + index);
  });
}

/** Cluster as JSON, for Envoy's bootstrap and for our own decoder. */
export function clusterOf(balanceCase: BalanceCase, port: number): JsonObject {
  const { name, cluster = {}, live = false } = balanceCase;
  const unlimited = { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 };
  return {
    name,
    connect_timeout: '5s',
    circuit_breakers: { thresholds: [unlimited] },
    ...cluster,
    ...(live
      ? { type: 'EDS', eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } } }
      : { type: 'STATIC', load_assignment: assignmentOf(balanceCase, port) }),
  };
}

/** ClusterLoadAssignment as JSON. */
export function assignmentOf({ name, groups, policy }: BalanceCase, port: number): JsonObject {
  const ids = numbered(groups);
  return {
    cluster_name: name,
    ...(policy !== undefined && { policy }),
    endpoints: groups.map(({ hosts, weights, priority = 0, zone = '', weight }, group) => ({
      locality: { region: 'region', zone },
      priority,
      ...(weight !== undefined && { load_balancing_weight: weight }),
      lb_endpoints: Array.from(hosts, (letter, index) => ({
        health_status: HEALTH[letter] ?? 'UNKNOWN',
        load_balancing_weight: weights?.[index] ?? 1,
        endpoint: {
          address: { socket_address: { address: addressOf(ids[group]?.[index] ?? 0), port_value: port } },
        },
      })),
    })),
  };
}
