import { isHashBalancer } from '../balancer/picker.ts';
import type { LoadAssignment } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';

/** Endpoints up to which hosts and tables wait for the first pick: making them takes a few tens of microseconds. */
const FEW_ENDPOINTS = 100;

/** Hash tables, and many hosts, take their time; a host that starts slowly starts when it comes, not when it is asked for. */
export function isQuicklyMade(config: ClusterConfig): boolean {
  const { loadBalancer } = config.cluster;
  if (isHashBalancer(loadBalancer) || ('slowStart' in loadBalancer && loadBalancer.slowStart !== undefined))
    return false;
  const assignment = assignmentOf(config);
  return assignment === undefined || countOf(assignment) <= FEW_ENDPOINTS;
}

export const assignmentOf = ({ cluster, assignment }: ClusterConfig): LoadAssignment | undefined =>
  assignment ?? ('assignment' in cluster.discovery ? cluster.discovery.assignment : undefined);

export const NO_ASSIGNMENT: LoadAssignment = { clusterName: '', localities: [], overprovisioningFactor: 0 };

export const countOf = ({ localities }: LoadAssignment): number =>
  localities.reduce((sum, { endpoints }) => sum + endpoints.length, 0);

export const hashesHostname = ({ cluster: { loadBalancer } }: ClusterConfig): boolean =>
  isHashBalancer(loadBalancer) && loadBalancer.useHostname;

/** Both give the same table over the same hosts. */
export const isSameForPicks = (one: ClusterConfig, other: ClusterConfig): boolean =>
  assignmentOf(one) === assignmentOf(other) &&
  one.cluster.panicThreshold === other.cluster.panicThreshold &&
  one.cluster.localityWeighted === other.cluster.localityWeighted &&
  one.cluster.failTrafficOnPanic === other.cluster.failTrafficOnPanic &&
  JSON.stringify(one.cluster.loadBalancer) === JSON.stringify(other.cluster.loadBalancer);

export function whyNone(config: ClusterConfig, count: number): string {
  const { name } = config.cluster;
  if (assignmentOf(config) === undefined) return `no endpoints of ${name} have been received`;
  return count === 0 ? `${name} has no endpoints` : `none of the ${count} endpoints of ${name} is healthy`;
}
