import { create } from '@bufbuild/protobuf';
import { RouteMatchSchema } from '@inmesh/sdk/internal/gen/route';
import type { TranslatedRoute } from '../route/route.ts';
import { grpcMatch } from './route-match.ts';

/**
 * Name of a cluster that has no endpoint, to which a route goes that has no meaning for gRPC: calls fail UNAVAILABLE and nothing
 * else does. grpc-js refuses the whole configuration for an action it does not know, and dies of non_forwarding_action.
 */
export const NOT_FOR_GRPC = 'not-for-grpc';

export interface ShapedRoutes {
  readonly routes: readonly TranslatedRoute[];
  /** What became of a route that could not be sent as it is. */
  readonly changed: readonly { readonly route: TranslatedRoute; readonly message: string }[];
}

/** Routes that every gRPC client takes, and takes to mean the same (gRFC A28, A31, A44). */
export const grpcRoutes = (routes: readonly TranslatedRoute[], authorities: readonly string[]): ShapedRoutes => {
  const shaped: TranslatedRoute[] = [];
  const changed: ShapedRoutes['changed'][number][] = [];
  for (const route of routes) {
    const { matches, reason } = grpcMatch(create(RouteMatchSchema, route.route.match ?? {}), authorities);
    if (reason !== undefined) changed.push({ route, message: `left out: ${reason}` });
    const { action } = route.route;
    const isForwarding = action?.case === 'route';
    if (!isForwarding && matches.length > 0) {
      changed.push({ route, message: `${ACTIONS[action?.case ?? ''] ?? 'its action'}: calls fail UNAVAILABLE` });
    }
    const base = isForwarding ? route.route : failing(route);
    for (const match of matches) shaped.push({ ...route, route: { ...base, match } });
  }
  if (shaped.length === 0) shaped.push(NO_ROUTE);
  return { routes: shaped, changed };
};

/** Of a configuration that names no cluster grpc-java makes none of its own: calls fail INTERNAL, where all others say UNAVAILABLE. */
const NO_ROUTE: TranslatedRoute = {
  route: {
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: NOT_FOR_GRPC } } },
  },
  origin: undefined,
  notes: ['no route is left for gRPC: calls fail UNAVAILABLE'],
};

const ACTIONS: Readonly<Record<string, string>> = {
  redirect: 'gRPC follows no redirect',
  directResponse: 'gRPC has no direct response',
};

const failing = ({ route: { name, metadata } }: TranslatedRoute): TranslatedRoute['route'] => ({
  ...(name !== undefined && { name }),
  ...(metadata && { metadata }),
  action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: NOT_FOR_GRPC } } },
});
