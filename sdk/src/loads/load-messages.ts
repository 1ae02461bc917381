import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import type { Node } from '../../gen/core.js';
import { type ClusterStats, ClusterStatsSchema } from '../../gen/endpoint.js';
import { LoadStatsRequestSchema, LoadStatsResponseSchema } from '../../gen/services.js';
import type { LocalityCounts } from '../upstream/load-tally.ts';
import type { ClusterLoad } from './load-book.ts';

/** What a control plane asks for. */
export interface LoadQuestion {
  /** undefined: all clusters. */
  readonly clusters: ReadonlySet<string> | undefined;
  readonly intervalMs: number;
}

/** Said by gRPC's clients and Envoy: the control plane need not name the clusters. */
const SENDS_ALL = 'envoy.lrs.supports_send_all_clusters';

/** The first request of a stream: who we are. */
export const encodeIntroduction = (node: Node): Uint8Array =>
  toBinary(
    LoadStatsRequestSchema,
    create(LoadStatsRequestSchema, { node: { ...node, clientFeatures: [...node.clientFeatures, SENDS_ALL] } }),
  );

export const encodeLoads = (loads: readonly ClusterLoad[]): Uint8Array =>
  toBinary(LoadStatsRequestSchema, create(LoadStatsRequestSchema, { clusterStats: loads.map(statsOf) }));

/** Throws where the bytes are none. */
export function readQuestion(bytes: Uint8Array): LoadQuestion {
  const { sendAllClusters, clusters, loadReportingInterval } = fromBinary(LoadStatsResponseSchema, bytes);
  return {
    clusters: sendAllClusters ? undefined : new Set(clusters),
    intervalMs: loadReportingInterval === undefined ? 0 : durationMs(loadReportingInterval),
  };
}

function statsOf({ cluster, serviceName, spanMs, localities, drops }: ClusterLoad): ClusterStats {
  const dropped = [...drops.values()].reduce((sum, count) => sum + count, 0);
  return create(ClusterStatsSchema, {
    clusterName: cluster,
    clusterServiceName: serviceName,
    upstreamLocalityStats: localities.map(localityStatsOf),
    totalDroppedRequests: BigInt(dropped),
    droppedRequests: [...drops].map(([category, count]) => ({ category, droppedCount: BigInt(count) })),
    loadReportInterval: durationFromMs(Math.round(spanMs)),
  });
}

const localityStatsOf = ({ locality, priority, metrics, ...counts }: LocalityCounts) => ({
  locality,
  priority,
  totalSuccessfulRequests: BigInt(counts.succeeded),
  totalErrorRequests: BigInt(counts.failed),
  totalRequestsInProgress: BigInt(counts.inProgress),
  totalIssuedRequests: BigInt(counts.issued),
  loadMetricStats: [...metrics].map(([metricName, { answers, total }]) => ({
    metricName,
    numRequestsFinishedWithMetric: BigInt(answers),
    totalMetricValue: total,
  })),
});
