import { isIP } from 'node:net';
import type { Random } from '../clock.ts';
import { type TlsTarget, tlsByCaller, tlsToEndpoint, verifiedTarget } from '../connection/tls.ts';
import { fractionMatches } from '../match/fraction.ts';
import type { HashPolicy, RespondAction, StatefulSession, WeightedCluster } from '../model/action.ts';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import { faultOver } from '../model/fault-chain.ts';
import type { MeshRequest } from '../model/request.ts';
import type { TransportMatch } from '../model/tls.ts';
import { transportsInUse } from '../model/transport.ts';
import { decide } from '../route/decide.ts';
import { destinationOf } from '../route/destination.ts';
import { localBody } from '../route/local-body.ts';
import { outgoingRequest } from '../route/outgoing.ts';
import { directLocation, redirectLocation } from '../route/redirect.ts';
import { requestHash } from '../route/request-hash.ts';
import type { CompiledForward, RouteDecision } from '../route/table.ts';
import { tlsRouteOf } from '../route/tls-route.ts';
import { assignmentOf } from '../upstream/assignment.ts';
import type { PickContext, Upstream } from '../upstream/types.ts';
import type { LiveTarget } from './live-target.ts';
import { directResponse, dropped, type LocalReply, noCluster, noRoute, redirectTo } from './local-reply.ts';
import { sessionAddress } from './session.ts';
import type { CallOptions, CallRuntime } from './types.ts';

/** The call leaves the process. */
export interface Way {
  readonly kind: 'forward';
  readonly decision: RouteDecision;
  readonly action: CompiledForward;
  readonly cluster: WeightedCluster;
  readonly upstream: Upstream;
  /** A `tls` route has sent the connection elsewhere: TLS goes through to the host that was dialled. */
  readonly isEndToEnd: boolean;
  readonly context: PickContext;
  /** Of the first attempt: its session may name the host. */
  readonly first: PickContext;
  /** Of hash policies that made cookies: for the response. */
  readonly setCookies: readonly string[];
}

/** Of the cluster of a split, else of the route (Envoy WeightedClusterEntry::perFilterConfigs). */
export const faultOf = ({ action, cluster }: Pick<Way, 'action' | 'cluster'>) => faultOver(action.fault, cluster.fault);
export const sessionOf = ({ action, cluster }: Pick<Way, 'action' | 'cluster'>) =>
  cluster.statefulSession ?? action.statefulSession;

/** The mesh answers itself. */
export interface LocalAnswer {
  readonly kind: 'local';
  readonly reply: LocalReply;
  readonly decision: RouteDecision | undefined;
  readonly cluster: WeightedCluster | undefined;
}

export type Plan = Way | LocalAnswer;

type PlanRuntime = Pick<CallRuntime, 'clock' | 'random' | 'sourceIp'>;

/** The call that a way is looked for. */
interface PlannedCall {
  readonly target: LiveTarget;
  readonly request: MeshRequest;
  readonly options: CallOptions;
  readonly runtime: PlanRuntime;
}

/** Everything that is settled before a host is picked. */
export function planCall(call: PlannedCall): Plan {
  const { target, request } = call;
  const { random } = call.runtime;
  // One draw for fractions and the split, as Envoy has one random value a stream.
  let drawn: number | undefined;
  const draw: Random = () => {
    drawn ??= random();
    return drawn;
  };
  const decision = decide(target.table, request, draw);
  if (decision.kind === 'none')
    return local(noRoute(`${request.method} ${request.authority}${request.path}: ${decision.reason}`));
  const { action } = decision;
  switch (action.kind) {
    case 'redirect':
      return local(redirectTo(action.code, redirectLocation(action, decision, request)), decision);
    case 'respond':
      return local(directReply(action, decision, request), decision);
    case 'forward':
      return forward(call, decision, action, draw);
    case 'refuse':
      return local(noCluster(`the route cannot be followed: ${action.reason}`), decision);
  }
}

function directReply(action: RespondAction, decision: RouteDecision, request: MeshRequest): LocalReply {
  const { status } = action;
  const { body, contentType } = localBody(action, decision, request);
  const location = directLocation(status, request);
  const reply = { ...directResponse(status, body), ...(contentType !== undefined && { contentType }) };
  return location === undefined ? reply : { ...reply, headers: ['location', location] };
}

const local = (reply: LocalReply, decision?: RouteDecision, cluster?: WeightedCluster): LocalAnswer => ({
  kind: 'local',
  reply,
  decision,
  cluster,
});

const NO_CONTEXT: PickContext = {};
const GRPC_CONTEXT: PickContext = { unreachable: new Set() };
const NO_COOKIES: readonly string[] = [];

/** The same route's clusters, drawn once more (RetryPolicy.repickCluster); the way as it was where there is no other. */
export function planAgain(way: Way, call: PlannedCall): Way {
  const plan = forward(call, way.decision, way.action, call.runtime.random);
  return plan.kind === 'forward' ? plan : way;
}

/** `draw` always gives the same number. */
function forward(call: PlannedCall, decision: RouteDecision, action: CompiledForward, draw: Random): Plan {
  const { target, request, options, runtime } = call;
  const own = destinationOf(action, request, isSplit(action) ? draw() : 0);
  const status = action.clusterNotFoundStatus;
  if (own === undefined || own.name === '')
    return local(noCluster('the route names no cluster', status), decision, own);
  const cluster = request.scheme === 'https' ? byTlsRoute(own, call, decision, draw) : own;
  const upstream = target.upstreams.get(cluster.name);
  if (upstream === undefined) return local(noCluster(whyMissing(target, cluster.name), status), decision, cluster);
  const serving = upstream.serving(runtime.random);
  const drop = dropOf(serving, runtime.random);
  if (drop !== undefined) {
    serving.dropped(drop.category);
    const what = `the control plane has calls to ${cluster.name} given up (${drop.category})`;
    return local(dropped(what, drop.fraction.numerator >= drop.fraction.denominator), decision, cluster);
  }
  const isEndToEnd = cluster !== own;
  if (isEndToEnd && isSecured(upstream))
    return local(noCluster(`${cluster.name} asks for TLS around the TLS of the call`, status), decision, cluster);
  let context = options.isGrpc ? GRPC_CONTEXT : NO_CONTEXT;
  let setCookies = NO_COOKIES;
  if (upstream.needsDestination) {
    const { host, port } = options.originalDestination;
    context = { ...context, originalDestination: { address: host, port } };
  }
  if (action.hashPolicies.length > 0 && upstream.needsHash) {
    // Envoy's router asks for the hash when the headers are as they go out.
    const sent = outgoingRequest({ decision, action, cluster }, request);
    const sourceIp = action.hashPolicies.some(isSourceIp) ? runtime.sourceIp() : undefined;
    const hashed = requestHash(action.hashPolicies, {
      request: sent,
      random: runtime.random,
      ...(sourceIp !== undefined && { sourceIp }),
      ...(options.channel !== undefined && { channel: options.channel }),
    });
    if (hashed.hash !== undefined) context = { ...context, hash: hashed.hash };
    setCookies = hashed.setCookies ?? NO_COOKIES;
  }
  const session = sessionOf({ action, cluster });
  const first = session === undefined ? context : inSession(session, request, context, runtime);
  return { kind: 'forward', decision, action, cluster, upstream, isEndToEnd, context, first, setCookies };
}

/** The cluster that a `tls` route of the host names, in the place of its own. */
function byTlsRoute(
  own: WeightedCluster,
  { target, options }: PlannedCall,
  decision: RouteDecision,
  draw: Random,
): WeightedCluster {
  const { connections } = target.config.listener;
  if (connections === undefined) return own;
  const { host, port } = options.originalDestination;
  const asked = isIP(host) === 0 ? { port, serverName: host } : { port, address: host };
  const route = tlsRouteOf(connections, decision, asked, draw);
  return route === undefined || route.cluster === own.name ? own : { ...own, name: route.cluster };
}

function inSession(
  session: StatefulSession,
  request: MeshRequest,
  context: PickContext,
  { clock }: PlanRuntime,
): PickContext {
  const address = sessionAddress(session, request, clock.wallTime());
  return address === undefined
    ? context
    : { ...context, overrideHost: { addresses: [address], strict: session.strict } };
}

/** The first category whose draw it is. */
const dropOf = (upstream: Upstream, random: Random) =>
  assignmentOf(upstream.config())?.drops?.find(({ fraction }) => fractionMatches(fraction, random()));

const isSourceIp = ({ kind }: HashPolicy): boolean => kind === 'source-ip';

const isSplit = ({ clusters }: CompiledForward): boolean => clusters.length > 1;

function whyMissing(target: LiveTarget, name: string): string {
  const state = target.config.clusters.get(name);
  return state?.kind === 'failed' ? `cluster ${name}: ${state.reason}` : `cluster ${name} does not exist`;
}

const isSecured = (upstream: Upstream): boolean =>
  upstream.members().some((member) => {
    const { cluster, assignment } = member.config();
    return transportsInUse(cluster, assignment).size > 0;
  });

/**
 * TLS where the cluster asks for it of this endpoint, or where the caller dialled `https:`: once, verified by the name that
 * was dialled where the cluster names none.
 */
export function tlsFor(
  { cluster, endpoint }: { readonly cluster: Cluster; readonly endpoint: Endpoint },
  request: MeshRequest,
  { originalDestination }: CallOptions,
  isEndToEnd = false,
): TlsTarget | undefined {
  const { host } = originalDestination;
  const byCluster = isEndToEnd ? undefined : tlsToEndpoint(cluster, endpoint, nameFor(cluster, request, host));
  if (request.scheme !== 'https') return byCluster;
  return byCluster === undefined ? tlsByCaller(host) : verifiedTarget(byCluster);
}

/** Envoy auto_sni: the host of the request, which the caller may have written otherwise than the one it dialled. */
function nameFor(cluster: Cluster, { authority }: MeshRequest, dialled: string): string {
  const asksAuthority = cluster.tls?.sniFrom === 'authority' || cluster.transportMatches?.some(asksForAuthority);
  return asksAuthority ? authority.replace(/:\d+$/, '') : dialled;
}

const asksForAuthority = ({ tls }: TransportMatch): boolean => tls?.sniFrom === 'authority';
