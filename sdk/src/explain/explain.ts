import { isIP } from 'node:net';
import type { LiveTarget } from '../call/live-target.ts';
import { type Clock, holdProcess } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { LiveIdentity } from '../identity/live-identity.ts';
import { headerValue } from '../match/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import { decide } from '../route/decide.ts';
import { destinationOf } from '../route/destination.ts';
import { outgoingRequest } from '../route/outgoing.ts';
import { redirectLocation } from '../route/redirect.ts';
import { requestHash } from '../route/request-hash.ts';
import { splitRanges } from '../route/split.ts';
import type { CompiledForward, RouteDecision } from '../route/table.ts';
import { type TlsRoute, tlsRouteOf } from '../route/tls-route.ts';
import { createTrace } from '../route/trace.ts';
import { assignmentOf } from '../upstream/assignment.ts';
import type { Upstream } from '../upstream/types.ts';
import { notesOnConfiguration } from './configuration-notes.ts';
import type { Explanation } from './explanation.ts';
import { notesOn, notesOnDrops, notesOnMembers } from './notes.ts';
import { sourceOf } from './sources.ts';
import { type OwnIdentity, transportNotes } from './transports.ts';

export interface ExplainParts {
  readonly lookup: (target: string) => TargetState<LiveTarget>;
  /** With the clusters of filter chains. */
  readonly lookupConnection: (target: string) => TargetState<LiveTarget>;
  readonly discovery: Discovery;
  /** Who this process is. */
  readonly identity?: Pick<LiveIdentity, 'current' | 'missing' | 'describe'>;
  readonly clock: Clock;
  readonly configTimeoutMs: number;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
}

/** What may be said of who we are; undefined: nothing yet, nobody has asked. */
export function ownOf({ identity }: Pick<ExplainParts, 'identity'>): OwnIdentity | undefined {
  if (identity === undefined) return undefined;
  const id = identity.current()?.svid.id.uri;
  const described = identity.describe();
  const isUnasked = id === undefined && described !== undefined && described.problem === undefined;
  return isUnasked ? undefined : { id, missing: identity.missing };
}

export interface Question {
  /** The name as dialled: `host:port`. */
  readonly target: string;
  readonly url: string;
  readonly request: MeshRequest;
  readonly random: number;
}

/** Says what a call would do now: the same decision on the same values, with a trace and without consequences. */
export async function explain(parts: ExplainParts, question: Question): Promise<Explanation> {
  const isHttps = question.request.scheme === 'https';
  const lookup = isHttps ? parts.lookupConnection : parts.lookup;
  const state = await settledState({ ...parts, lookup }, question.target);
  const empty = emptyExplanation(question);
  if (state.kind !== 'ready') return { ...empty, notes: [withoutConfiguration(state, question.target, parts)] };
  const trace = createTrace();
  const live = state.value;
  const decision = decide(live.table, question.request, () => question.random, trace);
  const decided = { ...empty, virtualHost: trace.virtualHost ?? null, considered: trace.considered };
  const known = (cluster?: string | null): readonly string[] =>
    notesOnConfiguration(parts.discovery, new Set([question.target, live.table.name, ...(cluster ? [cluster] : [])]));
  if (decision.kind === 'none') return { ...decided, notes: [`answered 404 (NR): ${decision.reason}`, ...known()] };
  const position = await sourceOf(parts, live.table.name, decision);
  const { action } = decision;
  const common = { ...decided, route: decision.routeName, source: position.source };
  if (action.kind !== 'forward')
    return { ...common, notes: [ownAnswer(decision, question.request), ...position.notes, ...known()] };
  const forward = explainForward(live, decision, action, question, ownOf(parts));
  return {
    ...common,
    ...forward,
    notes: [...joinNotes(forward.notes, position.notes), ...known(forward.cluster)],
  };
}

export const emptyExplanation = ({ request, url, random }: Question): Explanation => ({
  request: { method: request.method, url, authority: request.authority, headers: recordOf(request), random },
  virtualHost: null,
  considered: [],
  route: null,
  source: null,
  cluster: null,
  split: [],
  endpoints: [],
  timeoutMs: null,
  retries: { calls: 1, on: [], perTryTimeoutMs: null },
  notes: [],
});

const recordOf = ({ headers }: MeshRequest): Record<string, string> =>
  Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headerValue(headers, name) ?? '']] : [])));

/** A name asked for the first time has its answer in a moment. */
export async function settledState({ lookup, clock, configTimeoutMs }: ExplainParts, target: string) {
  let state = lookup(target);
  if (state.kind !== 'pending') return state;
  const hold = holdProcess();
  const over = Promise.withResolvers<undefined>();
  const timer = clock.after(configTimeoutMs, () => over.resolve(undefined));
  while (state.kind === 'pending') {
    const next: TargetState<LiveTarget> | undefined = await Promise.race([state.settled, over.promise]);
    if (next === undefined) break;
    state = next;
  }
  timer.cancel();
  hold.cancel();
  return state;
}

type Unready = Exclude<TargetState<LiveTarget>, { readonly kind: 'ready' }>;

export function withoutConfiguration(state: Unready, target: string, { outboundPolicy }: ExplainParts): string {
  if (state.kind === 'pending') return `answered 503 (NC): no configuration of ${target} has come`;
  if (state.kind === 'failed') return `answered 503 (NC): ${state.reason}`;
  const outcome =
    outboundPolicy === 'ALLOW_ANY' ? 'sent as written (PassthroughCluster)' : 'answered 502 (BlackHoleCluster)';
  return `${target} is no host of the mesh (${state.reason}): ${outcome}, since the outbound policy is ${outboundPolicy}`;
}

function ownAnswer(decision: RouteDecision, request: MeshRequest): string {
  const { action } = decision;
  switch (action.kind) {
    case 'redirect':
      return `answered ${action.code}, to ${redirectLocation(action, decision, request)}`;
    case 'respond':
      return `answered ${action.status} by the route itself`;
    case 'refuse':
      return `answered 503: ${action.reason}`;
    default:
      return '';
  }
}

type Forwarding = Pick<Explanation, 'cluster' | 'split' | 'endpoints' | 'timeoutMs' | 'retries' | 'notes'>;

function explainForward(
  live: LiveTarget,
  decision: RouteDecision,
  action: CompiledForward,
  question: Question,
  own: OwnIdentity | undefined,
): Forwarding {
  const { request, random } = question;
  const { retry } = action;
  const destination = destinationOf(action, request, random);
  const tlsRoute = request.scheme === 'https' ? byTlsRoute(live, decision, question) : undefined;
  const cluster = tlsRoute?.cluster || destination?.name || undefined;
  const upstream = cluster === undefined ? undefined : live.upstreams.get(cluster);
  const state = cluster === undefined ? undefined : live.config.clusters.get(cluster);
  const sent = destination && outgoingRequest({ decision, action, cluster: destination }, request);
  const { hash } = requestHash(action.hashPolicies, { request: sent ?? request, random: () => random });
  const next = upstream?.peek(hash === undefined ? {} : { hash }, () => random);
  const drops = upstream?.members().flatMap((member) => notesOnDrops(assignmentOf(member.config()))) ?? [];
  const notes = [
    ...drops,
    ...notesOn({ ...action, ...(destination?.fault && { fault: destination.fault }) }),
    ...notesOnMembers(upstream, () => random),
    ...transportNotes(upstream, own),
  ];
  if (tlsRoute !== undefined)
    notes.unshift(`the tls route of ${tlsRoute.configPath} decides; TLS goes through to the host`);
  if (state?.kind === 'failed') notes.unshift(`answered 503 (NC): ${state.reason}`);
  else if (upstream === undefined) notes.unshift(`answered 503 (NC): there is no cluster ${cluster ?? 'to choose'}`);
  else if (next?.kind === 'failure') notes.unshift(`answered 503 (${next.flag}): ${next.reason}`);
  else if (next !== undefined && hash !== undefined) {
    notes.unshift(`the request's hash leads to ${next.host.address}:${next.host.port}`);
  }
  return {
    cluster: cluster ?? null,
    split: splitRanges(action).map(({ range, ...rest }) => ({ ...rest, ...(range && { range }) })),
    endpoints: endpointsOf(upstream),
    timeoutMs: action.timeoutMs || null,
    retries: {
      calls: 1 + (retry?.numRetries ?? 0),
      on: retry?.on.flatMap((word) => conditionOf(word, retry.retriableStatusCodes)) ?? [],
      perTryTimeoutMs: retry?.perTryTimeoutMs ?? null,
    },
    notes,
  };
}

/** A status is more to a reader than the word that says that there are some. */
const conditionOf = (word: string, statuses: readonly number[]): string | string[] =>
  word === 'retriable-status-codes' && statuses.length > 0 ? statuses.map(String) : word;

/** The host has a `tls` route and no `http` route: the same as for a call. */
function byTlsRoute(live: LiveTarget, decision: RouteDecision, { target, random }: Question): TlsRoute | undefined {
  const { hostname, port } = new URL(`tls://${target}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const asked = isIP(host) === 0 ? { serverName: host } : { address: host };
  return tlsRouteOf(live.config.listener.connections, decision, { ...asked, port: Number(port) }, () => random);
}

export const endpointsOf = (upstream: Upstream | undefined): Explanation['endpoints'] =>
  (upstream?.hosts() ?? []).map(({ address, cluster, locality, priority, state, reason, loadWeight }) => ({
    ...{ address, locality, priority, state },
    ...(cluster !== undefined && { cluster }),
    ...(reason !== undefined && { reason }),
    ...(loadWeight !== undefined && { loadWeight }),
  }));

/** The control plane's word on a feature adds nothing to our own on the same one (`retries.perTryTimeout: …`). */
function joinNotes(own: readonly string[], theirs: readonly string[]): readonly string[] {
  const subject = (note: string) => note.split(/[ :]/, 1)[0];
  const said = new Set(own.map(subject));
  return [...own, ...theirs.filter((note) => !said.has(subject(note)))];
}
