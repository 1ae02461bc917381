import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterConfigSchema,
  type ClusterSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import type { MeshEndpoint } from '../../registry/read-model.ts';
import { type ClusterBasis, clusterBasis, endpointsOf } from '../cluster/basis.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { dialled, isAddress } from './endpoints.ts';

type Discovery = NonNullable<Fields<typeof ClusterSchema>['clusterDiscoveryType']>;

const SEPARATOR = '|';

/**
 * Host names that a gRPC client looks up, where there are several: one cluster has one name (gRFC A37). Calls go to the first that
 * answers, in the order of the registry. undefined: the cluster is no such one.
 */
export const namesOf = (world: World, view: View, basis: ClusterBasis): readonly MeshEndpoint[] | undefined => {
  const { service, key, subset } = basis;
  if (view.kind !== 'grpc' || (service.resolution !== 'dns' && service.resolution !== 'dns-round-robin'))
    return undefined;
  const endpoints = new Map(endpointsOf(world, service, key, subset).map((one) => [dialled(one), one]));
  const names = [...endpoints.values()];
  return names.length > 1 && !names.every(isAddress) ? names : undefined;
};

/** A cluster of clusters, each of which is `CLUSTER|HOST:PORT`. */
export const aggregateOf = (cluster: string, names: readonly MeshEndpoint[]): Discovery => ({
  case: 'clusterType',
  value: {
    name: 'envoy.clusters.aggregate',
    typedConfig: packAny(ClusterConfigSchema, {
      clusters: names.map((endpoint) => `${cluster}${SEPARATOR}${dialled(endpoint)}`),
    }),
  },
});

/** The part of an aggregate that has this name, given the aggregate; undefined where it has none of it. */
export const partOf = (
  world: World,
  view: View,
  name: string,
  whole: (name: string) => Cluster | undefined,
): Cluster | undefined => {
  const at = name.lastIndexOf(SEPARATOR);
  const parent = name.slice(0, at);
  const basis = view.kind === 'grpc' && at > 0 ? clusterBasis(world, view, parent) : undefined;
  const endpoint = basis && namesOf(world, view, basis)?.find((one) => dialled(one) === name.slice(at + 1));
  const cluster = endpoint && whole(parent);
  if (endpoint === undefined || cluster === undefined) return undefined;
  return {
    ...cluster,
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.LOGICAL_DNS },
    loadAssignment: create(ClusterLoadAssignmentSchema, {
      clusterName: name,
      endpoints: [{ locality: {}, lbEndpoints: [lbEndpoint(endpoint)], loadBalancingWeight: 1 }],
    }),
  };
};

const lbEndpoint = ({ address, port }: MeshEndpoint) => ({
  hostIdentifier: {
    case: 'endpoint' as const,
    value: {
      address: {
        address: {
          case: 'socketAddress' as const,
          value: { address, portSpecifier: { case: 'portValue' as const, value: port } },
        },
      },
    },
  },
});
