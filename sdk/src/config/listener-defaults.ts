import type { Action } from '../model/action.ts';
import { faultOver } from '../model/fault-chain.ts';
import type { Listener, RouteConfiguration } from '../model/route.ts';

type Defaults = Pick<Listener, 'maxStreamDurationMs' | 'idleTimeoutMs' | 'fault' | 'statefulSession'>;

const known = new WeakMap<RouteConfiguration, { readonly listener: Listener; readonly routes: RouteConfiguration }>();

/**
 * What the connection manager says for all routes, written into those that say nothing of their own (Envoy
 * HttpConnectionManager.stream_idle_timeout, common_http_protocol_options.max_stream_duration and the filters' own
 * configuration): a call reads its action only. The same object for the same two.
 */
export function withListenerDefaults(listener: Listener, routes: RouteConfiguration): RouteConfiguration {
  const { maxStreamDurationMs, idleTimeoutMs, fault, statefulSession } = listener;
  const defaults: Defaults = {
    ...(maxStreamDurationMs !== undefined && { maxStreamDurationMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(fault && { fault }),
    ...(statefulSession && { statefulSession }),
  };
  if (Object.keys(defaults).length === 0) return routes;
  const before = known.get(routes);
  if (before?.listener === listener) return before.routes;
  const fill = (action: Action): Action => {
    if (action.kind !== 'forward') return action;
    const own = faultOver(fault, action.fault);
    return { ...defaults, ...action, ...(own && { fault: own }) };
  };
  const virtualHosts = routes.virtualHosts.map((host) => ({
    ...host,
    routes: host.routes.map((route) => ({ ...route, action: fill(route.action) })),
  }));
  const filled = { ...routes, virtualHosts };
  known.set(routes, { listener, routes: filled });
  return filled;
}
