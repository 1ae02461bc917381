import { isHashBalancer } from '../balancer/picker.ts';
import type { Random } from '../clock.ts';
import type { TlsTarget } from '../connection/tls.ts';
import { headerValue } from '../match/headers.ts';
import type { WeightedCluster } from '../model/action.ts';
import type { Cluster } from '../model/cluster.ts';
import type { MeshRequest } from '../model/request.ts';
import { decide } from '../route/decide.ts';
import { redirectLocation } from '../route/redirect.ts';
import { requestHash } from '../route/request-hash.ts';
import { chooseCluster } from '../route/split.ts';
import type { CompiledForward, RouteDecision } from '../route/table.ts';
import type { PickContext, Upstream } from '../upstream/upstream.ts';
import type { LiveTarget } from './live-target.ts';
import { directResponse, type LocalReply, noCluster, noRoute, redirectTo } from './local-reply.ts';
import type { CallOptions } from './types.ts';

/** The call leaves the process. */
export interface Way {
  readonly kind: 'forward';
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly cluster: WeightedCluster;
  readonly upstream: Upstream;
  readonly context: PickContext;
  /** Of a hash policy that made a cookie: for the response. */
  readonly setCookie: string | undefined;
}

/** The mesh answers itself. */
export interface LocalAnswer {
  readonly kind: 'local';
  readonly reply: LocalReply;
  readonly decision: RouteDecision | undefined;
  readonly cluster: WeightedCluster | undefined;
}

export type Plan = Way | LocalAnswer;

/** Everything that is settled before a host is picked. */
export function planCall(target: LiveTarget, request: MeshRequest, options: CallOptions, random: Random): Plan {
  const decision = decide(target.table, request, random);
  if (decision.kind === 'none')
    return local(noRoute(`${request.method} ${request.authority}${request.path}: ${decision.reason}`));
  const { action } = decision;
  switch (action.kind) {
    case 'redirect':
      return local(redirectTo(action.code, redirectLocation(action, decision, request)), decision);
    case 'respond':
      return local(directResponse(action.status, action.body), decision);
    case 'forward':
      return forward({ target, request, options, random, decision, action });
    case 'refuse':
      return local(noCluster(`the route cannot be followed: ${action.reason}`), decision);
  }
}

const local = (reply: LocalReply, decision?: RouteDecision, cluster?: WeightedCluster): LocalAnswer => ({
  kind: 'local',
  reply,
  decision,
  cluster,
});

interface Forwarding {
  readonly target: LiveTarget;
  readonly request: MeshRequest;
  readonly options: CallOptions;
  readonly random: Random;
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
}

const NO_CONTEXT: PickContext = {};

function forward({ target, request, options, random, decision, action }: Forwarding): Plan {
  const cluster = action.clusterHeader === undefined ? split(action, random) : named(action.clusterHeader, request);
  if (cluster === undefined) return local(noCluster('the route names no cluster'), decision);
  const upstream = target.upstreams.get(cluster.name);
  if (upstream === undefined) return local(noCluster(whyMissing(target, cluster.name)), decision, cluster);
  const { discovery, loadBalancer } = upstream.config().cluster;
  let context = NO_CONTEXT;
  let setCookie: string | undefined;
  if (discovery.kind === 'original-dst') {
    const { host, port } = options.originalDestination;
    context = { originalDestination: { address: host, port } };
  } else if (action.hashPolicies.length > 0 && isHashBalancer(loadBalancer)) {
    const hashed = requestHash(action.hashPolicies, { request, random });
    if (hashed.hash !== undefined) context = { hash: hashed.hash };
    setCookie = hashed.setCookie;
  }
  return { kind: 'forward', decision, action, cluster, upstream, context, setCookie };
}

const split = (action: CompiledForward, random: Random): WeightedCluster | undefined =>
  action.clusters.length === 1 ? action.clusters[0] : chooseCluster(action, random());

const NO_MUTATION = { set: [], remove: [] };

/** Envoy RouteAction.cluster_header */
function named(header: string, request: MeshRequest): WeightedCluster | undefined {
  const name = headerValue(request.headers, header.toLowerCase());
  return name === undefined
    ? undefined
    : { name, weight: 1, requestHeaders: NO_MUTATION, responseHeaders: NO_MUTATION };
}

function whyMissing(target: LiveTarget, name: string): string {
  const state = target.config.clusters.get(name);
  return state?.kind === 'failed' ? `cluster ${name}: ${state.reason}` : `cluster ${name} does not exist`;
}

/** TLS where the cluster asks for it, or where the caller dialled `https:`; verified by the name that was dialled. */
export function tlsFor(
  { tls }: Cluster,
  request: MeshRequest,
  { originalDestination }: CallOptions,
): TlsTarget | undefined {
  if (tls === undefined)
    return request.scheme === 'https'
      ? { name: originalDestination.host, alpn: NO_NAMES, subjectAltNames: NO_NAMES }
      : undefined;
  // HTTP/1.1 is what is spoken, whatever else the cluster would offer.
  return { name: tls.sni || originalDestination.host, alpn: NO_NAMES, subjectAltNames: tls.subjectAltNames };
}

const NO_NAMES: readonly string[] = [];
