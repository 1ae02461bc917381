/** Short ways to write route configurations, for tests and benchmarks. */
import type { Action, ForwardAction } from '../model/action.ts';
import type { HeaderMutation, HeaderSet } from '../model/headers.ts';
import type { HeaderMatch, PathMatch, QueryParameterMatch, RouteMatch, StringMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';
import type { Route, RouteConfiguration, VirtualHost } from '../model/route.ts';

export const NO_MUTATION: HeaderMutation = { set: [], remove: [] };

export const setHeader = (
  name: string,
  value: string,
  action: HeaderSet['action'] = 'append-or-add',
  keepEmpty = false,
): HeaderSet => ({
  name,
  value,
  action,
  keepEmpty,
});

export const text = (
  kind: 'exact' | 'prefix' | 'suffix' | 'contains',
  value: string,
  ignoreCase = false,
): StringMatch => ({
  kind,
  value,
  ignoreCase,
});

export const path = (
  kind: 'exact' | 'prefix' | 'path-separated-prefix',
  value: string,
  caseSensitive = true,
): PathMatch => ({
  kind,
  value,
  caseSensitive,
});

export const header = (name: string, match: StringMatch, more: Partial<HeaderMatch> = {}): HeaderMatch => ({
  name,
  invert: false,
  treatMissingAsEmpty: false,
  value: { kind: 'string', match },
  ...more,
});

export const query = (name: string, match: StringMatch): QueryParameterMatch => ({
  name,
  value: { kind: 'string', match },
});

export const match = (more: Partial<RouteMatch> = {}): RouteMatch => ({
  path: path('prefix', '/'),
  headers: [],
  queryParameters: [],
  grpc: false,
  ...more,
});

export const forward = (
  clusters: Readonly<Record<string, number>> = { a: 1 },
  more: Partial<ForwardAction> = {},
): ForwardAction => ({
  kind: 'forward',
  clusters: Object.entries(clusters).map(([name, weight]) => ({
    name,
    weight,
    requestHeaders: NO_MUTATION,
    responseHeaders: NO_MUTATION,
  })),
  hashPolicies: [],
  appendXForwardedHost: false,
  mirrors: [],
  priority: 'default',
  ...more,
});

export const route = (
  name: string,
  routeMatch: Partial<RouteMatch> = {},
  action: Action = forward(),
  more: Partial<Route> = {},
): Route => ({
  name,
  match: match(routeMatch),
  action,
  requestHeaders: NO_MUTATION,
  responseHeaders: NO_MUTATION,
  ...more,
});

export const virtualHost = (
  name: string,
  domains: readonly string[],
  routes: readonly Route[],
  more: Partial<VirtualHost> = {},
): VirtualHost => ({
  name,
  domains,
  routes,
  requestHeaders: NO_MUTATION,
  responseHeaders: NO_MUTATION,
  ...more,
});

export const configuration = (
  virtualHosts: readonly VirtualHost[],
  more: Partial<RouteConfiguration> = {},
): RouteConfiguration => ({
  name: 'test',
  virtualHosts,
  requestHeaders: NO_MUTATION,
  responseHeaders: NO_MUTATION,
  mostSpecificHeaderMutationsWins: false,
  ignorePortInHostMatching: false,
  ...more,
});

export const request = (more: Partial<MeshRequest> = {}): MeshRequest => ({
  method: 'GET',
  scheme: 'http',
  authority: 'reviews:9080',
  path: '/',
  headers: [],
  ...more,
});
