import type { InboundRequests } from '../model/inbound.ts';
import type { Route, RouteConfiguration } from '../model/route.ts';

const known = new WeakMap<InboundRequests, boolean>();

/**
 * Whatever comes is the application's, without a look: as control planes say it, one route for everything. `isGrpc`: routes count
 * (gRFC A36); requests of other servers stay where they are whatever their route, only faults of routes concern them.
 */
export function isOpen(requests: InboundRequests, isGrpc: boolean): boolean {
  const before = known.get(requests);
  if (before !== undefined) return before;
  const isIt = requests.fault === undefined && areOpen(requests.routes, isGrpc);
  known.set(requests, isIt);
  return isIt;
}

function areOpen(routes: InboundRequests['routes'], isGrpc: boolean): boolean {
  if (routes.kind !== 'inline') return !isGrpc;
  const { virtualHosts } = routes.routeConfiguration;
  const isFaulty = virtualHosts.some((host) =>
    host.routes.some(({ action }) => 'stays' in action && action.stays?.fault),
  );
  return !isFaulty && (!isGrpc || takesAll(routes.routeConfiguration));
}

function takesAll({ virtualHosts: [host, ...others], vhostHeader }: RouteConfiguration): boolean {
  const first = host?.routes[0];
  return (
    others.length === 0 &&
    vhostHeader === undefined &&
    host?.requireTls === undefined &&
    host?.domains.includes('*') === true &&
    first !== undefined &&
    fitsAll(first) &&
    first.action.kind === 'refuse' &&
    first.action.stays !== undefined
  );
}

const fitsAll = ({ match }: Route): boolean => {
  const { path, headers, queryParameters, fraction, cookies = [], metadata = [], never, grpc } = match;
  return (
    path.kind === 'prefix' &&
    (path.value === '' || path.value === '/') &&
    headers.length + queryParameters.length + cookies.length + metadata.length === 0 &&
    fraction === undefined &&
    never === undefined &&
    !grpc
  );
};
