import { HTTPFaultSchema } from '@inmesh/sdk/internal/gen/listener';
import type { RouteSchema } from '@inmesh/sdk/internal/gen/route';
import type { HttpMatch, HttpRoute } from '../../schema/spec/virtual-service.ts';
import type { EffectiveCallPolicy } from '../call-policy/effective.ts';
import { bufferOf, callPolicyMetadata, callPolicyNotes, routeCallPolicy } from '../call-policy/route.ts';
import { configPath, type FieldRef, fieldRef } from '../origin.ts';
import { type Fields, packAny } from '../proto.ts';
import { matchApplies } from '../virtual-service-lookup.ts';
import type { VirtualService } from '../world.ts';
import { forward } from './action.ts';
import { delegated } from './delegate.ts';
import type { RouteScope } from './destination.ts';
import { FAULT_FILTER, faultFilter } from './fault.ts';
import { headerOperations } from './header-operations.ts';
import { isCatchAll, routeMatch } from './match.ts';
import { routeNotes } from './notes.ts';
import { directResponseAction, redirectAction } from './redirect.ts';
import { statefulSession } from './stateful-session.ts';

type RouteInit = Fields<typeof RouteSchema>;

export interface TranslatedRoute {
  readonly route: RouteInit;
  /** undefined where no object is behind it (a service made up for a registration). */
  readonly origin: FieldRef | undefined;
  /** What explain says beside the route. */
  readonly notes: readonly string[];
  /** As it was written; undefined: nobody wrote it. */
  readonly http?: HttpRoute;
}

/** Name of the only route of a service without VirtualService. */
const DEFAULT_ROUTE = 'default';

/** Everything goes to the cluster of the whole service, with the default retries and no timeout. */
export const defaultRoute = (scope: RouteScope, host: string, origin: FieldRef | undefined): TranslatedRoute => {
  const policy = routeCallPolicy(scope.world, {}, scope.dialled);
  const whole: HttpRoute = { match: [], route: [{ destination: { host, port: { number: scope.port } } }], mirrors: [] };
  const own = callPolicyMetadata(policy, scope.view.kind);
  const { action, services, filters: aborts } = forward(scope, whole, policy);
  const filters = { ...statefulSession(services, scope.view.kind), ...aborts };
  return {
    route: {
      name: DEFAULT_ROUTE,
      match: routeMatch(undefined),
      action: { case: 'route', value: action },
      ...(Object.keys(filters).length > 0 && { typedPerFilterConfig: filters }),
      ...bufferOf(policy, scope.view.kind),
      ...(Object.keys(own).length > 0 && { metadata: own }),
    },
    origin,
    notes: [...routeNotes(scope, whole), ...callPolicyNotes(policy)],
  };
};

/**
 * The routes of one VirtualService for one client and port, in its order: one route a match, none for conditions that can
 * never hold for this client, nothing after the first that takes everything (Istio BuildHTTPRoutesForVirtualService).
 */
export const virtualServiceRoutes = (scope: RouteScope, rule: VirtualService): readonly TranslatedRoute[] => {
  const routes: TranslatedRoute[] = [];
  for (const { http, rule: written, path, matches } of delegated(scope.world, rule).routes) {
    const at = { ...scope, namespace: written.namespace };
    const policy = routeCallPolicy(scope.world, { rule: written, root: rule, http }, scope.dialled);
    const listed: readonly { readonly match: HttpMatch | undefined; readonly path: string }[] =
      matches.length > 0 ? matches : [{ match: undefined, path }];
    for (const { match, path: fieldPath } of listed) {
      if (match !== undefined && !matchApplies(match, scope.view, scope.port)) continue;
      const route = httpRoute({ ...at, policy }, rule, http, match);
      if (route === undefined) continue;
      routes.push({
        route,
        http,
        origin: fieldRef(written, fieldPath),
        notes: [...routeNotes(at, http), ...(http.route.length > 0 ? callPolicyNotes(policy) : [])],
      });
      if (isCatchAll(routeMatch(match))) return routes;
    }
  }
  return routes;
};

const httpRoute = (
  scope: RouteScope & { readonly policy: EffectiveCallPolicy },
  rule: VirtualService,
  http: HttpRoute,
  match: HttpMatch | undefined,
): RouteInit | undefined => {
  const name = `${http.name ?? ''}${match?.name ? `.${match.name}` : ''}`;
  const base: RouteInit = {
    name,
    match: routeMatch(match),
    metadata: { filterMetadata: { istio: { config: configPath(rule) } } },
    ...(match?.statPrefix ? { statPrefix: match.statPrefix } : {}),
  };
  const { authority: _, ...headers } = headerOperations(http.headers);
  if (http.redirect !== undefined) {
    return { ...base, ...headers, action: { case: 'redirect', value: redirectAction(http.redirect, scope.port) } };
  }
  const fault = http.fault && faultFilter(http.fault);
  const faults = fault && { [FAULT_FILTER]: packAny(HTTPFaultSchema, fault) };
  if (http.directResponse !== undefined) {
    return {
      ...base,
      ...headers,
      ...(faults && { typedPerFilterConfig: faults }),
      action: { case: 'directResponse', value: directResponseAction(http.directResponse) },
    };
  }
  if (http.route.length === 0) return undefined;
  const { policy, view } = scope;
  const { action, services, headers: merged, filters } = forward(scope, http, policy);
  const typedPerFilterConfig = { ...faults, ...statefulSession(services, view.kind), ...filters };
  const metadata = { ...base.metadata, ...callPolicyMetadata(policy, view.kind) };
  return {
    ...base,
    metadata,
    ...merged,
    typedPerFilterConfig,
    ...bufferOf(policy, view.kind),
    action: { case: 'route', value: action },
  };
};
