import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { parseClusterName } from '../names.ts';
import { ADS } from '../proto.ts';
import { NO_CLUSTER } from '../route/action.ts';
import type { View } from '../view.ts';
import { NOT_FOR_GRPC } from './routes.ts';

/**
 * A cluster without endpoints in place of one that does not exist. A gRPC client waits 15 s before it believes that there is none
 * (gRFC A57), and with it all calls of the target (A74); grpc-js never takes a cluster back that was gone. Of an empty one
 * calls fail UNAVAILABLE at once, and endpoints that come later are used.
 */
export const hasStandIn = ({ kind }: View, name: string): boolean =>
  kind === 'grpc' && (isNobody(name) || (name.length <= LONGEST_NAME && parseClusterName(name) !== undefined));

/** The name of a host (253) and of a subset (63), with what is around them; thousands may be asked for, and each is kept. */
const LONGEST_NAME = 400;

/** A cluster that is always empty. */
const isNobody = (name: string): boolean => name === NOT_FOR_GRPC || name === NO_CLUSTER;

export const standInCluster = (name: string): Cluster =>
  create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS, serviceName: name },
  });

export const standInEndpoints = (clusterName: string): ClusterLoadAssignment =>
  create(ClusterLoadAssignmentSchema, { clusterName });
