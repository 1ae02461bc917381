import { headerValue } from '../match/headers.ts';
import type { ForwardAction, WeightedCluster } from '../model/action.ts';
import type { HeaderList, HeaderMutation } from '../model/headers.ts';
import type { RouteDecision } from './table.ts';

/** The path to send, query string included. */
export const rewritePath = (decision: RouteDecision, path: string): string => decision.rewritePath?.(path) ?? path;

/**
 * The authority to send, or undefined to keep the request's. The route's rewrite is applied after the weighted
 * cluster's, so it wins (Envoy WeightedClusterEntry::finalizeRequestHeaders).
 */
export function hostRewrite(action: ForwardAction, cluster: WeightedCluster): string | undefined {
  return nonEmpty(action.hostRewrite) ?? nonEmpty(cluster.hostRewrite);
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/**
 * Adds the old authority to `x-forwarded-host` where the route rewrites the host and asks for it, unless it is the last
 * value there already (Envoy RouteAction.append_x_forwarded_host). Call before the authority is replaced.
 */
export function appendForwardedHost(action: ForwardAction, headers: HeaderList, authority: string): HeaderList {
  if (!action.appendXForwardedHost || nonEmpty(action.hostRewrite) === undefined || authority === '') return headers;
  const present = headerValue(headers, FORWARDED_HOST);
  if (present === undefined || present === '')
    return [...withoutHeader(headers, FORWARDED_HOST), FORWARDED_HOST, authority];
  if (present.split(',').at(-1) === authority) return headers;
  return [...withoutHeader(headers, FORWARDED_HOST), FORWARDED_HOST, `${present},${authority}`];
}

const FORWARDED_HOST = 'x-forwarded-host';

function withoutHeader(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => headers[i - (i % 2)] !== name);
}

/** A weighted cluster's own mutations come before the route's, whatever the order of the other levels. */
export function mutationsFor(own: HeaderMutation, ofDecision: readonly HeaderMutation[]): readonly HeaderMutation[] {
  return own.set.length === 0 && own.remove.length === 0 ? ofDecision : [own, ...ofDecision];
}
