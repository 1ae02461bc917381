/** Type URLs in the order a push sends them: clusters and their endpoints before the routes that name them (make before break). */
const LISTENER = 'type.googleapis.com/envoy.config.listener.v3.Listener';
const ROUTE_CONFIGURATION = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const ASSIGNMENT = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';

export const PUSH_ORDER: readonly string[] = [CLUSTER, ASSIGNMENT, LISTENER, ROUTE_CONFIGURATION];

/** State-of-the-world answers of these types hold every subscribed resource: absence is deletion. */
export const isWhole = (typeUrl: string): boolean => typeUrl === LISTENER || typeUrl === CLUSTER;
