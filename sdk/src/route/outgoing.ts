import type { WeightedCluster } from '../model/action.ts';
import type { HeaderMutation } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import type { FormatContext } from './format.ts';
import { applyMutations, type MutationContext } from './mutate.ts';
import { appendForwardedHost, mutationsFor, rewritePath } from './rewrite.ts';
import type { CompiledForward, RouteDecision } from './table.ts';

/** A forwarding decision and the cluster it came to. */
export interface Way {
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly cluster: WeightedCluster;
}

const NONE: readonly HeaderMutation[] = [];

/**
 * The request as it goes to the chosen cluster, changed in Envoy's order (WeightedClusterEntry::finalizeRequestHeaders,
 * RouteEntryImplBase::finalizeRequestHeaders): the cluster's mutations and host, then those of route, virtual host and
 * configuration, then the route's host, then the path. Mutations still see the path as it came. The request itself comes
 * back when nothing changes.
 */
export function outgoingRequest(
  { decision, action, cluster }: Way,
  request: MeshRequest,
  startTimeMs?: number,
): MeshRequest {
  const way = { decision, cluster };
  const about = startTimeMs === undefined ? { way, asked: request } : { way, asked: request, startTimeMs };
  let { authority, headers } = request;
  const own = mutationsFor(cluster.requestHeaders, NONE);
  if (own.length > 0) headers = applyMutations(own, headers, { request, ...about });
  if (cluster.hostRewrite) authority = cluster.hostRewrite;
  if (decision.requestHeaders.length > 0) {
    headers = applyMutations(decision.requestHeaders, headers, { request: { ...request, authority }, ...about });
  }
  let { path } = request;
  if (action.rewriteHost !== undefined || decision.rewritePath !== undefined) {
    const context: FormatContext = { request: { ...request, authority }, headers, ...about };
    const host = action.rewriteHost?.(context);
    if (host) {
      if (action.appendXForwardedHost) headers = appendForwardedHost(headers, authority);
      authority = host;
    }
    path = rewritePath(decision, path, context);
  }
  const isSame = headers === request.headers && authority === request.authority && path === request.path;
  return isSame ? request : { ...request, authority, path, headers };
}

export interface AnswerContext extends Omit<MutationContext, 'responseHeaders' | 'way'> {
  /** Whether the cluster exists; one that does not has its mutations applied all the same, but no name. */
  readonly isThere?: boolean;
}

/**
 * The headers of an upstream's answer as they go to the caller; the same list when nothing changes. `context.request` is
 * the request as it went out (Envoy's formatters see it after its own mutations).
 */
export function incomingHeaders(
  decision: RouteDecision,
  cluster: WeightedCluster | undefined,
  headers: string[],
  { isThere = true, ...context }: AnswerContext,
): string[] {
  const mutations =
    cluster === undefined ? decision.responseHeaders : mutationsFor(cluster.responseHeaders, decision.responseHeaders);
  return mutations.length === 0
    ? headers
    : applyMutations(mutations, headers, {
        ...context,
        way: { decision, cluster: isThere ? cluster : undefined },
        responseHeaders: headers,
      });
}
