import { type ClusterBasis, clusterBasis, endpointsOf } from '../cluster/basis.ts';
import { limitsOfServer } from '../inbound/server-limits.ts';
import { objectRef } from '../origin.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../resource-types.ts';
import { routeConfiguration } from '../route/route-configuration.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { policyLimits, routeLimits, weightLimits } from './part-limits.ts';

/** One thing of a resource that a client does not do as the rule behind it says. */
export interface Limit {
  /** `VirtualService default/reviews`; empty where no rule is behind it. */
  readonly resource: string;
  /** `spec.http[0].mirror` */
  readonly fieldPath: string;
  readonly message: string;
}

/**
 * What of a route configuration, a cluster or a server's listener will not happen as written at this client; only a gRPC client has limits.
 * `view.client` names it: one that nobody knows is taken for the least able.
 */
export const limitsOf = (world: World, view: View, typeUrl: string, name: string): readonly Limit[] => {
  if (view.kind !== 'grpc') return [];
  if (typeUrl === ROUTE_TYPE) return limitsOfRoutes(world, view, name);
  if (typeUrl === LISTENER_TYPE) return limitsOfServer(world, view, name);
  return typeUrl === CLUSTER_TYPE ? limitsOfCluster(world, view, name) : [];
};

const limitsOfRoutes = (world: World, view: View, name: string): readonly Limit[] => {
  const translated = routeConfiguration(world, view, name);
  if (translated === undefined) return [];
  const changed = translated.changed.map(({ route, message }) => ({
    resource: route.origin?.resource ?? '',
    fieldPath: route.origin?.fieldPath ?? '',
    message,
  }));
  const written = new Map(
    translated.routes.flatMap(({ http, origin }) =>
      http && origin ? [[`${origin.object} ${httpPath(origin.fieldPath)}`, { http, origin }] as const] : [],
    ),
  );
  const limits = [...written.values()].flatMap(({ http, origin }) =>
    routeLimits(http, view.client ?? 'unknown').map(({ path, reason }) => ({
      resource: origin.resource,
      fieldPath: `${httpPath(origin.fieldPath)}.${path}`,
      message: reason,
    })),
  );
  return [...changed, ...limits];
};

/** `spec.http[1].match[0]` is a part of `spec.http[1]`. */
const httpPath = (fieldPath: string): string => fieldPath.replace(/\.match\[\d+\]$/, '');

const limitsOfCluster = (world: World, view: View, name: string): readonly Limit[] => {
  const basis = clusterBasis(world, view, name);
  return basis === undefined ? [] : [...limitsOfRule(view, basis), ...limitsOfWeights(world, basis)];
};

const limitsOfRule = (view: View, { rule, policy }: ClusterBasis): readonly Limit[] => {
  if (rule === undefined) return [];
  const { namespace, name } = rule.rule;
  return policyLimits(policy, view, view.client ?? 'unknown').map(({ path, reason }) => ({
    resource: `DestinationRule ${namespace}/${name}`,
    fieldPath: `trafficPolicy.${path}`,
    message: reason,
  }));
};

const limitsOfWeights = (world: World, { service, key, subset, policy }: ClusterBasis): readonly Limit[] =>
  weightLimits(policy, endpointsOf(world, service, key, subset)).map(({ path, reason }) => ({
    resource: service.objectKey === undefined ? service.hostname : objectRef(service.objectKey).resource,
    fieldPath: path,
    message: reason,
  }));
