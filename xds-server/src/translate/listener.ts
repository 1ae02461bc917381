import { create } from '@bufbuild/protobuf';
import { StatefulSessionSchema } from '@inmesh/sdk/internal/gen/filters';
import {
  HTTPFaultSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
  type Listener,
  ListenerSchema,
  RouterSchema,
} from '@inmesh/sdk/internal/gen/listener';
import { filterChains } from './connection/filter-chains.ts';
import { parseTarget, routeConfigurationName } from './names.ts';
import { ADS, type Fields, packAny } from './proto.ts';
import { FAULT_FILTER } from './route/fault.ts';
import { BLOCK_ALL, routeConfiguration, type TranslatedRoutes, usesFilter } from './route/route-configuration.ts';
import { SESSION_FILTER } from './route/stateful-session.ts';
import { targetByAddress } from './service-lookup.ts';
import { outboundPolicy } from './sidecar-scope.ts';
import type { View } from './view.ts';
import type { World } from './world.ts';

/**
 * REGISTRY_ONLY of the mesh or of a Sidecar: a host that nobody knows is answered 502, whatever the client's bootstrap
 * says. A gRPC client fails without it.
 */
const blocked = (world: World, view: View): string | undefined =>
  view.kind !== 'grpc' && outboundPolicy(world, view) === 'REGISTRY_ONLY' ? BLOCK_ALL : undefined;

/** Only what is written is sent (Istio MeshConfig.pathNormalization). */
const pathNormalization = (world: World): Fields<typeof HttpConnectionManagerSchema> => {
  switch (world.mesh().pathNormalization) {
    case 'NONE':
      return { normalizePath: false };
    case 'BASE':
      return { normalizePath: true };
    case 'MERGE_SLASHES':
      return { normalizePath: true, mergeSlashes: true };
    case 'DECODE_AND_MERGE_SLASHES': {
      const { UNESCAPE_AND_FORWARD } = HttpConnectionManager_PathWithEscapedSlashesAction;
      return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: UNESCAPE_AND_FORWARD };
    }
    default:
      return {};
  }
};

type FilterFields = Fields<typeof HttpFilterSchema>;

const ROUTER: FilterFields = {
  name: 'envoy.filters.http.router',
  configType: { case: 'typedConfig', value: packAny(RouterSchema, {}) },
};

/** Empty: they only let the routes bring faults and sessions of their own. */
const FILTERS: readonly (FilterFields & { readonly name: string })[] = [
  { name: FAULT_FILTER, configType: { case: 'typedConfig', value: packAny(HTTPFaultSchema, {}) } },
  { name: SESSION_FILTER, configType: { case: 'typedConfig', value: packAny(StatefulSessionSchema, {}) } },
];

/** Sessions are known to C-core alone of gRPC clients, so they are optional there (gRFC A39). */
const filtersOf = ({ kind }: View, routes: TranslatedRoutes | undefined): readonly FilterFields[] =>
  FILTERS.filter(({ name }) => routes && usesFilter(routes, name)).map((filter) =>
    kind === 'grpc' && filter.name === SESSION_FILTER ? { ...filter, isOptional: true } : filter,
  );

/**
 * What a client asks for first, under the name it dials (`reviews:9080`); undefined = the mesh does not know it.
 * Requests are routed by its API listener; the SDK learns beside it where connections go that are none.
 */
export const listener = (world: World, view: View, name: string): Listener | undefined => {
  const target = targetByAddress(world, view, name);
  const routeConfigName =
    target === undefined ? blocked(world, view) : routeConfigurationName(target.port, target.host);
  if (routeConfigName === undefined) return undefined;
  const routes = routeConfiguration(world, view, routeConfigName);
  const manager = packAny(HttpConnectionManagerSchema, {
    // Envoy refuses a connection manager without a name for its statistics; the SDK has its own.
    ...(view.kind === 'sdk' ? {} : { statPrefix: routeConfigName }),
    routeSpecifier: { case: 'rds', value: { configSource: ADS, routeConfigName } },
    httpFilters: [...filtersOf(view, routes), ROUTER],
    ...pathNormalization(world),
  });
  const connections =
    target && view.kind === 'sdk' ? filterChains(world, view, target, parseTarget(name)?.host ?? '') : [];
  return create(ListenerSchema, { name, apiListener: { apiListener: manager }, filterChains: connections });
};
