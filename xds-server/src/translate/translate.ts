import { toBinary } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType, ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { RouteSourcesSchema } from '@inmesh/sdk/internal/gen/inmesh';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import type { ObjectKey, Origin } from '../schema/types.ts';
import { namesOf, partOf } from './client/aggregate.ts';
import { hasStandIn, standInCluster, standInEndpoints } from './client/stand-in.ts';
import { clusterBasis } from './cluster/basis.ts';
import { cluster } from './cluster/cluster.ts';
import { isUnreachable } from './cluster/upstream-tls.ts';
import { loadAssignment } from './endpoint/load-assignment.ts';
import { applicationClusterOf } from './inbound/application.ts';
import { inboundListener } from './inbound/listener.ts';
import { isInboundName } from './inbound/name.ts';
import { listener } from './listener.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from './resource-types.ts';
import { routeConfiguration } from './route/route-configuration.ts';
import { routeSources } from './route/route-sources.ts';
import { secret } from './tls/secret.ts';
import type { View } from './view.ts';
import type { World } from './world.ts';

/** Makes the bytes of one resource for one View; undefined = it does not exist. */
export type Translate = (world: World, view: View, name: string) => Uint8Array | undefined;

/** xDS by type. Pure, and deterministic to the byte: rules in another order give the same bytes. */
export const TRANSLATORS: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  [
    LISTENER_TYPE,
    (world, view, name) => {
      const made = isInboundName(name) ? inboundListener(world, view, name) : listener(world, view, name);
      return made && toBinary(ListenerSchema, made);
    },
  ],
  [
    ROUTE_TYPE,
    (world, view, name) => {
      const made = routeConfiguration(world, view, name);
      return made && toBinary(RouteConfigurationSchema, made.configuration);
    },
  ],
  [
    CLUSTER_TYPE,
    (world, view, name) => {
      const made =
        applicationClusterOf(world, view, name) ??
        cluster(world, view, name) ??
        partOf(world, view, name, (whole) => cluster(world, view, whole)) ??
        (hasStandIn(view, name) ? standInCluster(name) : undefined);
      return made && toBinary(ClusterSchema, made);
    },
  ],
  [ENDPOINT_TYPE, translateEndpoints],
  [
    SECRET_TYPE,
    (world, view, name) => {
      const made = secret(world, view, name);
      return made && toBinary(SecretSchema, made);
    },
  ],
]);

/** Only an EDS cluster has an assignment of its own; DNS clusters carry theirs. */
function translateEndpoints(world: World, view: View, name: string): Uint8Array | undefined {
  const made = endpointsOf(world, view, name);
  return made && toBinary(ClusterLoadAssignmentSchema, made);
}

function endpointsOf(world: World, view: View, name: string): ClusterLoadAssignment | undefined {
  const basis = clusterBasis(world, view, name);
  if (basis === undefined || isUnreachable(world, view, basis)) {
    return hasStandIn(view, name) ? standInEndpoints(name) : undefined;
  }
  const isOwn = basis.type === Cluster_DiscoveryType.EDS && namesOf(world, view, basis) === undefined;
  return isOwn ? loadAssignment(world, view, name) : undefined;
}

/** The side table of a route configuration; not in TRANSLATORS because it alone reads positions. */
export const translateRouteSources = (
  world: World,
  view: View,
  name: string,
  originOf: (object: ObjectKey) => Origin | undefined,
): Uint8Array | undefined => {
  const made = routeConfiguration(world, view, name);
  return made && toBinary(RouteSourcesSchema, routeSources(made, originOf));
};
