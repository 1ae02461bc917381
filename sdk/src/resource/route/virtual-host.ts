import {
  type Route as RouteMessage,
  VirtualHost_TlsRequirementType as TlsRequirement,
  type VirtualHost as VirtualHostMessage,
} from '../../../gen/route.js';
import type { Action } from '../../model/action.ts';
import type { Route, VirtualCluster, VirtualHost } from '../../model/route.ts';
import { applyCallPolicy, callPolicyIn } from '../call-policy.ts';
import { decodeList } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { required } from '../values.ts';
import { decodeBufferLimit } from './buffer-limit.ts';
import { decodeRequestHeaders, decodeResponseHeaders } from './header-mutation.ts';
import { decodeHedgePolicy } from './hedge-policy.ts';
import { decodePerFilter, type Inherited } from './inherited.ts';
import { decodeDirectResponse, decodeRedirect } from './local-action.ts';
import { decodeMirrors } from './mirror.ts';
import { decodeRetryPolicy } from './retry-policy.ts';
import { decodeRouteAction } from './route-action.ts';
import { decodeHeaderMatch, decodeRouteMatch } from './route-match.ts';

/** What a route needs to know of the levels above it. */
export interface RouteContext {
  readonly inherited: Inherited;
  readonly maxDirectResponseBytes: number | undefined;
}

/** Envoy VirtualHost without its routes, which come one by one. */
export function decodeVirtualHost(message: VirtualHostMessage, at: Scope): Omit<VirtualHost, 'routes'> {
  if (message.domains.length === 0) at.at('domains').error('empty, at least one is required');
  const requireTls = TLS.get(message.requireTls);
  const { includeRequestAttemptCount: inRequest, includeAttemptCountInResponse: inResponse } = message;
  return {
    name: sharedName(required(message.name, at.at('name'))),
    domains: decodeList(message.domains, at.at('domains'), decodeDomain),
    requestHeaders: decodeRequestHeaders(message, at),
    responseHeaders: decodeResponseHeaders(message, at),
    ...(requireTls !== undefined && { requireTls }),
    ...((inRequest || inResponse) && { attemptCount: { inRequest, inResponse } }),
    ...(message.virtualClusters.length > 0 && {
      virtualClusters: decodeVirtualClusters(message, at.at('virtual_clusters')),
    }),
  };
}

const TLS: ReadonlyMap<TlsRequirement, 'external' | 'all'> = new Map([
  [TlsRequirement.EXTERNAL_ONLY, 'external'],
  [TlsRequirement.ALL, 'all'],
]);

function decodeVirtualClusters({ virtualClusters }: VirtualHostMessage, at: Scope): VirtualCluster[] {
  return virtualClusters.map(({ name, headers }, index) => {
    const here = at.at(index);
    if (headers.length === 0) here.at('headers').error('empty, at least one is required');
    return {
      name: required(name, here.at('name')),
      headers: headers.map((header, n) => decodeHeaderMatch(header, here.at('headers').at(n))),
    };
  });
}

/** Envoy VirtualHost.domains: exact, `*suffix`, `prefix*` or `*`; a star anywhere else is a mistake (gRFC A27). */
function decodeDomain(domain: string, at: Scope): string {
  if (!/^(?:\*|[^*]+|\*[^*]+|[^*]+\*)$/.test(domain)) {
    at.error(`"${domain}", a host, *suffix, prefix* or * allowed`);
  }
  return domain.toLowerCase();
}

/** What the routes of a virtual host inherit; what it does not say comes from the route configuration. */
export function inheritedBy(message: VirtualHostMessage, above: Inherited, at: Scope): Inherited {
  return {
    retry: message.retryPolicy ? decodeRetryPolicy(message.retryPolicy, at.at('retry_policy')) : above.retry,
    mirrors:
      message.requestMirrorPolicies.length > 0 ? decodeMirrors(message.requestMirrorPolicies, at) : above.mirrors,
    hedge: message.hedgePolicy ? decodeHedgePolicy(message.hedgePolicy) : above.hedge,
    bodyBufferBytes: decodeBufferLimit(message) ?? above.bodyBufferBytes,
    filters: decodePerFilter(message.typedPerFilterConfig, above.filters, at),
  };
}

/** undefined: one without a match. */
export function decodeRoute(message: RouteMessage, context: RouteContext, at: Scope): Route | undefined {
  if (message.match === undefined) {
    at.at('match').error('missing, a match is required');
    return undefined;
  }
  const match = decodeRouteMatch(message.match, at.at('match'));
  const inherited = {
    ...context.inherited,
    bodyBufferBytes: decodeBufferLimit(message) ?? context.inherited.bodyBufferBytes,
    filters: decodePerFilter(message.typedPerFilterConfig, context.inherited.filters, at),
  };
  const action = decodeAction(message, { ...context, inherited }, match.path, at);
  const policy = callPolicyIn(message.metadata, at);
  const istio = message.metadata?.filterMetadata.istio;
  const configPath = typeof istio?.config === 'string' ? istio.config : undefined;
  return {
    name: message.name,
    match,
    action: action.kind === 'forward' ? applyCallPolicy(action, policy, at) : action,
    requestHeaders: decodeRequestHeaders(message, at),
    responseHeaders: decodeResponseHeaders(message, at),
    ...(configPath !== undefined && { configPath }),
  };
}

function decodeAction(
  { action }: RouteMessage,
  context: RouteContext,
  path: Route['match']['path'],
  at: Scope,
): Action {
  switch (action.case) {
    case 'route':
      return decodeRouteAction(action.value, path, context.inherited, at.at('route'));
    case 'redirect':
      return decodeRedirect(action.value, at.at('redirect'));
    case 'directResponse':
      return decodeDirectResponse(action.value, context.maxDirectResponseBytes, at.at('direct_response'));
    case 'nonForwardingAction': {
      // gRFC A36: it belongs to servers; a call that hits it fails, the other routes work.
      const { fault } = context.inherited.filters;
      const reason = `${at.path}: a non_forwarding_action cannot be called`;
      return { kind: 'refuse', reason, stays: fault === undefined ? {} : { fault } };
    }
    default:
      return { kind: 'refuse', reason: `${at.path}: ${action.case ?? 'no'} action, which this client does not know` };
  }
}
