import type { WeightedCluster } from '../model/action.ts';
import type { HeaderMutation } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import type { FormatContext } from './format.ts';
import { applyMutations, type MutationContext } from './mutate.ts';
import { appendForwardedHost, mutationsFor, rewritePath, withHeader } from './rewrite.ts';
import type { CompiledForward, RouteDecision } from './table.ts';

/** A forwarding decision and the cluster it came to. */
export interface Way {
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly cluster: WeightedCluster;
  /** The host name of the endpoint picked, for auto_host_rewrite. */
  readonly hostname?: string | undefined;
  /** Which attempt it is for, from 1 on. */
  readonly attempt?: number | undefined;
}

const ATTEMPT_COUNT = 'x-envoy-attempt-count';

const NONE: readonly HeaderMutation[] = [];

/**
 * The request as it goes to the chosen cluster, changed in Envoy's order (WeightedClusterEntry::finalizeRequestHeaders,
 * RouteEntryImplBase::finalizeRequestHeaders): the cluster's mutations and host, then those of route, virtual host and
 * configuration, then the route's host, then the path. Mutations still see the path as it came. The request itself comes
 * back when nothing changes.
 */
export function outgoingRequest(
  { decision, action, cluster, hostname, attempt = 1 }: Way,
  request: MeshRequest,
  startTimeMs?: number,
): MeshRequest {
  const way = { decision, cluster };
  const base = { way, asked: request, attempt };
  const about = startTimeMs === undefined ? base : { ...base, startTimeMs };
  let { authority, headers } = request;
  if (decision.attemptCount?.inRequest) headers = withHeader(headers, ATTEMPT_COUNT, String(attempt));
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
  // Envoy UpstreamRequest::onUpstreamHostSelected: after everything else.
  if (action.autoHostRewrite && hostname !== undefined) {
    if (action.appendXForwardedHost) headers = appendForwardedHost(headers, authority);
    authority = hostname;
  }
  const isSame = headers === request.headers && authority === request.authority && path === request.path;
  return isSame ? request : { ...request, authority, path, headers };
}

/** Whether `outgoingRequest` may change anything: on most ways it does not. */
export const changesRequest = ({ decision, action, cluster }: Way): boolean =>
  decision.requestHeaders.length > 0 ||
  decision.rewritePath !== undefined ||
  decision.attemptCount?.inRequest === true ||
  action.rewriteHost !== undefined ||
  action.autoHostRewrite === true ||
  Boolean(cluster.hostRewrite) ||
  isMutation(cluster.requestHeaders);

/** Whether `incomingHeaders` may change anything. */
export const changesAnswer = ({ decision, cluster }: Way): boolean =>
  decision.responseHeaders.length > 0 ||
  decision.attemptCount?.inResponse === true ||
  isMutation(cluster.responseHeaders);

const isMutation = ({ set, remove }: HeaderMutation): boolean => set.length > 0 || remove.length > 0;

export interface AnswerContext extends Omit<MutationContext, 'responseHeaders' | 'way'> {
  /** Of the upstream's answer; absent where the mesh answers itself. */
  readonly status?: number;
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
  const mutated =
    mutations.length === 0
      ? headers
      : applyMutations(mutations, headers, {
          ...context,
          way: { decision, cluster: isThere ? cluster : undefined },
          responseHeaders: headers,
        });
  const isCounted = context.status !== undefined && decision.attemptCount?.inResponse;
  return isCounted ? withHeader(mutated, ATTEMPT_COUNT, String(context.attempt ?? 1)) : mutated;
}
