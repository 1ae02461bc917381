import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import { decide } from './decide.ts';
import { destinationOf } from './destination.ts';
import { incomingHeaders, outgoingRequest } from './outgoing.ts';
import { directLocation, redirectLocation } from './redirect.ts';
import type { CompiledForward, RouteDecision, RouteTable } from './table.ts';
import { createTrace } from './trace.ts';
import { virtualClusterOf } from './virtual-cluster.ts';

/** What a route table makes of one request, with no endpoints behind it. */
export interface RouteAnswer {
  readonly virtualHost: string | undefined;
  readonly virtualCluster: string | undefined;
  /** The route's name; empty where it has none. */
  readonly route: string | undefined;
  readonly cluster: string | undefined;
  /** Path and host as sent upstream: the request's own where nothing rewrites. */
  readonly pathRewrite: string;
  readonly hostRewrite: string;
  readonly redirect?: { readonly location: string; readonly code: number };
  readonly directResponse?: { readonly code: number; readonly body: Uint8Array; readonly location?: string };
  /** The request's, after the mutations of what forwards it. */
  readonly requestHeaders: HeaderList;
  /** What is put on an answer without headers of its own. */
  readonly responseHeaders: HeaderList;
  readonly reason: string;
}

/** `draw` decides fractions and splits. */
export function answerOf(table: RouteTable, request: MeshRequest, draw: number, startTimeMs?: number): RouteAnswer {
  const trace = createTrace();
  const decision = decide(table, request, () => draw, trace);
  const answer: RouteAnswer = {
    virtualHost: trace.virtualHost,
    virtualCluster: undefined,
    route: undefined,
    cluster: undefined,
    pathRewrite: request.path,
    hostRewrite: request.authority,
    requestHeaders: request.headers,
    responseHeaders: [],
    reason: 'reason' in decision ? `404: ${decision.reason}` : '',
  };
  if (decision.kind === 'none') return answer;
  const rule = trace.considered.at(-1)?.rule ?? 'the virtual host wants TLS';
  const found = {
    ...answer,
    virtualCluster: virtualClusterOf(decision, request),
    route: decision.routeName,
    reason: `virtual host ${decision.virtualHost}, ${rule}`,
  };
  const { action } = decision;
  if (action.kind === 'forward') return forwarded(found, { decision, action, request, draw, startTimeMs });
  return { ...found, ...ownAnswer(decision, request) };
}

interface Forwarding {
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly request: MeshRequest;
  readonly draw: number;
  readonly startTimeMs: number | undefined;
}

function forwarded(answer: RouteAnswer, { decision, action, request, draw, startTimeMs }: Forwarding): RouteAnswer {
  const cluster = destinationOf(action, request, draw);
  if (cluster === undefined) {
    const status = action.clusterNotFoundStatus ?? 503;
    const responseHeaders = incomingHeaders(decision, undefined, [], { request });
    return { ...answer, responseHeaders, reason: `${answer.reason}; ${status}: it names no cluster` };
  }
  const sent = outgoingRequest({ decision, action, cluster }, request, startTimeMs);
  return {
    ...answer,
    cluster: cluster.name,
    pathRewrite: sent.path,
    hostRewrite: sent.authority,
    requestHeaders: sent.headers,
    responseHeaders: incomingHeaders(decision, cluster, [], { request: sent }),
  };
}

function ownAnswer(decision: RouteDecision, request: MeshRequest): Partial<RouteAnswer> {
  const { action } = decision;
  const responseHeaders = incomingHeaders(decision, undefined, [], { request });
  switch (action.kind) {
    case 'redirect':
      return {
        responseHeaders,
        redirect: { location: redirectLocation(action, decision, request), code: action.code },
      };
    case 'respond': {
      const location = directLocation(action.status, request);
      return {
        responseHeaders,
        directResponse: { code: action.status, body: action.body, ...(location !== undefined && { location }) },
      };
    }
    case 'refuse':
      return { responseHeaders, reason: action.reason };
    default:
      return {};
  }
}
