import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import { decide } from './decide.ts';
import { destinationOf } from './destination.ts';
import { localBody } from './local-body.ts';
import { incomingHeaders, outgoingRequest } from './outgoing.ts';
import { directLocation, redirectLocation } from './redirect.ts';
import { requestHash } from './request-hash.ts';
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
  /** Of hash policies, where the balancer is one that asks for a hash. */
  readonly setCookies?: readonly string[] | undefined;
  readonly reason: string;
  /** The status where the cluster does not exist. */
  readonly clusterNotFound: number;
}

export interface AnswerOptions {
  /** Decides fractions and splits. */
  readonly draw: number;
  /** Wall clock, for formats that ask for it. */
  readonly startTimeMs?: number;
  /** The endpoint's host name, for auto_host_rewrite. */
  readonly hostname?: (cluster: string) => string | undefined;
  /** What the upstream is taken to answer with. */
  readonly upstreamHeaders?: HeaderList;
  /** Whether a cluster exists; without it every one that has a name. */
  readonly isThere?: (cluster: string) => boolean;
}

const isNamed = (cluster: string): boolean => cluster !== '';

const CLUSTER_NOT_FOUND = 503;
/** What the upstream is taken to say. */
const OK = 200;

/** The decision of a call, with nothing behind it. */
export function answerOf(table: RouteTable, request: MeshRequest, options: AnswerOptions): RouteAnswer {
  const trace = createTrace();
  const decision = decide(table, request, () => options.draw, trace);
  const answer: RouteAnswer = {
    virtualHost: trace.virtualHost,
    virtualCluster: undefined,
    route: undefined,
    cluster: undefined,
    pathRewrite: request.path,
    hostRewrite: request.authority,
    requestHeaders: request.headers,
    responseHeaders: [],
    clusterNotFound: CLUSTER_NOT_FOUND,
    reason: 'reason' in decision ? `404: ${decision.reason}` : '',
  };
  if (decision.kind === 'none') return answer;
  // Envoy VirtualHost.require_tls answers before any route is looked at.
  const matched = trace.considered.at(-1);
  const rule = matched?.rule ?? 'the virtual host wants TLS';
  const found = {
    ...answer,
    virtualCluster: virtualClusterOf(decision, request),
    route: matched && decision.routeName,
    reason: `virtual host ${decision.virtualHost}, ${rule}`,
  };
  const { action } = decision;
  if (action.kind === 'forward') return forwarded(found, { decision, action, request, options });
  return { ...found, ...ownAnswer(decision, request, options) };
}

interface Forwarding {
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly request: MeshRequest;
  readonly options: AnswerOptions;
}

function forwarded(answer: RouteAnswer, { decision, action, request, options }: Forwarding): RouteAnswer {
  const cluster = destinationOf(action, request, options.draw);
  const { isThere = isNamed, upstreamHeaders = [], startTimeMs } = options;
  const times = startTimeMs === undefined ? {} : { startTimeMs };
  const clusterNotFound = action.clusterNotFoundStatus ?? CLUSTER_NOT_FOUND;
  if (cluster === undefined || !isThere(cluster.name)) {
    const what = cluster === undefined || cluster.name === '' ? 'it names no cluster' : `no cluster ${cluster.name}`;
    return {
      ...answer,
      responseHeaders: incomingHeaders(decision, cluster, [], { request, isThere: false, ...times }),
      clusterNotFound,
      reason: `${answer.reason}; ${clusterNotFound}: ${what}`,
    };
  }
  const hostname = options.hostname?.(cluster.name);
  const sent = outgoingRequest({ decision, action, cluster, hostname }, request, options.startTimeMs);
  return {
    ...answer,
    clusterNotFound,
    cluster: cluster.name,
    setCookies: requestHash(action.hashPolicies, { request: sent, random: () => options.draw }).setCookies,
    pathRewrite: sent.path,
    hostRewrite: sent.authority,
    requestHeaders: sent.headers,
    responseHeaders: incomingHeaders(decision, cluster, [...upstreamHeaders], {
      request: sent,
      asked: request,
      status: OK,
      ...times,
    }),
  };
}

function ownAnswer(
  decision: RouteDecision,
  request: MeshRequest,
  { startTimeMs }: AnswerOptions,
): Partial<RouteAnswer> {
  const { action } = decision;
  const responseHeaders = incomingHeaders(decision, undefined, [], {
    request,
    ...(startTimeMs !== undefined && { startTimeMs }),
  });
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
        directResponse: {
          code: action.status,
          body: localBody(action, decision, request).body,
          ...(location !== undefined && { location }),
        },
      };
    }
    case 'refuse':
      return { responseHeaders, reason: action.reason };
    default:
      return {};
  }
}
