import type { Cluster, LoadAssignment } from './cluster.ts';
import type { Listener, RouteConfiguration } from './route.ts';

/** A cluster with the endpoints it was joined with; `failed` says why it cannot be used (its calls answer 503 NC). */
export interface ClusterConfig {
  readonly cluster: Cluster;
  readonly assignment: LoadAssignment | undefined;
  /** What an aggregate comes down to, in its order: clusters that are none themselves, those that cannot be used too. */
  readonly members?: readonly ClusterMember[];
}

export interface ClusterMember {
  readonly name: string;
  readonly state: ClusterState;
}

export type ClusterState =
  | { readonly kind: 'ready'; readonly config: ClusterConfig }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Everything one target (`host:port`, as the application dials it) needs, joined (gRFC A74): the unit of atomic swap.
 * Immutable; a change makes a new one.
 */
export interface TargetConfig {
  /** LDS name, e.g. `reviews:9080`. */
  readonly target: string;
  readonly listener: Listener;
  readonly routeConfiguration: RouteConfiguration;
  /** Every cluster that some route names, and some filter chain where connections are made by them. */
  readonly clusters: ReadonlyMap<string, ClusterState>;
}
