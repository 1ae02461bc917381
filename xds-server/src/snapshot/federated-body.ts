import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { HttpConnectionManagerSchema, ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { type RouteAction, RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import type { EncodedResource } from './encoded-resource.ts';

/** The xdstp name of what we know as `id`. */
export type NameOf = (type: string, id: string) => string;

type Rename = (bytes: Uint8Array, name: string, nameOf: NameOf) => Uint8Array;

/**
 * The same resource under an xdstp name, spelled as it was asked for (grpc-java compares text). What it refers to is named in the
 * same authority: a client looks plain names up at the control plane of its top-level bootstrap, which may be another one
 * (gRFC A47).
 */
export function renamed({ typeUrl, any }: EncodedResource, name: string, nameOf: NameOf): Uint8Array {
  const { value } = fromBinary(AnySchema, any);
  return RENAMES.get(typeUrl)?.(value, name, nameOf) ?? value;
}

const CLUSTER = ClusterSchema.typeName;

const RENAMES: ReadonlyMap<string, Rename> = new Map<string, Rename>([
  [LISTENER_TYPE, listener],
  [ROUTE_TYPE, routeConfiguration],
  [CLUSTER_TYPE, cluster],
  [ENDPOINT_TYPE, loadAssignment],
]);

function listener(bytes: Uint8Array, name: string, nameOf: NameOf): Uint8Array {
  const message = fromBinary(ListenerSchema, bytes);
  message.name = name;
  const { apiListener } = message;
  const manager = apiListener?.apiListener && anyUnpack(apiListener.apiListener, HttpConnectionManagerSchema);
  if (apiListener !== undefined && manager?.routeSpecifier.case === 'rds') {
    const rds = manager.routeSpecifier.value;
    rds.routeConfigName = nameOf(RouteConfigurationSchema.typeName, rds.routeConfigName);
    apiListener.apiListener = anyPack(HttpConnectionManagerSchema, manager);
  }
  return toBinary(ListenerSchema, message);
}

function routeConfiguration(bytes: Uint8Array, name: string, nameOf: NameOf): Uint8Array {
  const message = fromBinary(RouteConfigurationSchema, bytes);
  message.name = name;
  for (const { routes, requestMirrorPolicies } of message.virtualHosts) {
    for (const mirror of requestMirrorPolicies)
      if (mirror.cluster !== '') mirror.cluster = nameOf(CLUSTER, mirror.cluster);
    for (const { action } of routes) if (action.case === 'route') renameClusters(action.value, nameOf);
  }
  return toBinary(RouteConfigurationSchema, message);
}

function renameClusters({ clusterSpecifier, requestMirrorPolicies }: RouteAction, nameOf: NameOf): void {
  if (clusterSpecifier.case === 'cluster') clusterSpecifier.value = nameOf(CLUSTER, clusterSpecifier.value);
  if (clusterSpecifier.case === 'weightedClusters') {
    for (const weighted of clusterSpecifier.value.clusters) weighted.name = nameOf(CLUSTER, weighted.name);
  }
  for (const mirror of requestMirrorPolicies)
    if (mirror.cluster !== '') mirror.cluster = nameOf(CLUSTER, mirror.cluster);
}

function cluster(bytes: Uint8Array, name: string, nameOf: NameOf): Uint8Array {
  const message = fromBinary(ClusterSchema, bytes);
  const { edsClusterConfig } = message;
  if (edsClusterConfig !== undefined) {
    const service = edsClusterConfig.serviceName === '' ? message.name : edsClusterConfig.serviceName;
    edsClusterConfig.serviceName = nameOf(ClusterLoadAssignmentSchema.typeName, service);
  }
  message.name = name;
  return toBinary(ClusterSchema, message);
}

function loadAssignment(bytes: Uint8Array, name: string): Uint8Array {
  const message = fromBinary(ClusterLoadAssignmentSchema, bytes);
  message.clusterName = name;
  return toBinary(ClusterLoadAssignmentSchema, message);
}
