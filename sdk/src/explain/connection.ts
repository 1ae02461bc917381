import type { LiveTarget } from '../call/live-target.ts';
import type { ConnectionChain } from '../model/l4.ts';
import { type ConnectionRequest, decideConnection } from '../route/l4.ts';
import type { ConsideredRule } from '../route/trace.ts';
import {
  type ExplainParts,
  emptyExplanation,
  endpointsOf,
  ownOf,
  type Question,
  settledState,
  withoutConfiguration,
} from './explain.ts';
import type { ExplainedSplit, Explanation } from './explanation.ts';
import { notesOnMembers } from './notes.ts';
import { type OwnIdentity, transportNotes } from './transports.ts';

/** A connection to be explained (`tcp://host:port`). */
export interface ConnectionQuestion extends Question {
  readonly connection: ConnectionRequest;
}

/** Says what `mesh.connect` would do now: the same chain and cluster, and who is next. */
export async function explainConnection(parts: ExplainParts, question: ConnectionQuestion): Promise<Explanation> {
  const lookup = parts.lookupConnection;
  const state = await settledState({ ...parts, lookup }, question.target);
  const empty = emptyExplanation(question);
  if (state.kind !== 'ready') return { ...empty, notes: [withoutConfiguration(state, question.target, parts)] };
  const live = state.value;
  const table = live.config.listener.connections;
  if (table === undefined) {
    return { ...empty, notes: ['refused (NR): the port speaks HTTP, whose requests are routed one by one'] };
  }
  const decision = decideConnection(table, question.connection, question.random);
  const chosen = decision.kind === 'connect' ? decision.chain : undefined;
  const chains = table.fallback === undefined ? table.chains : [...table.chains, table.fallback];
  const common = {
    ...empty,
    virtualHost: question.target,
    considered: chains.map((chain) => considered(chain, chosen)),
  };
  if (decision.kind === 'none') return { ...common, notes: [withoutChain(parts)] };
  const { cluster, chain } = decision;
  return {
    ...common,
    route: chain.configPath ?? 'the service itself',
    cluster,
    split: splitOf(chain),
    endpoints: endpointsOf(live.upstreams.get(cluster)),
    notes: notesOf(live, chain, cluster, ownOf(parts)),
  };
}

const considered = (chain: ConnectionChain, chosen: ConnectionChain | undefined): ConsideredRule =>
  chain === chosen
    ? { rule: describe(chain), matched: true }
    : { rule: describe(chain), matched: false, failed: 'does not fit, or another fits better' };

function describe({ serverNames, destinations, port }: ConnectionChain): string {
  const parts = [
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(destinations.length === 0
      ? []
      : [`address in ${destinations.map(({ bytes, length }) => rangeOf(bytes, length)).join(', ')}`]),
    ...(serverNames.length === 0 ? [] : [`server name ${serverNames.join(', ')}`]),
  ];
  return parts.join(' and ') || 'any connection';
}

function rangeOf(bytes: readonly number[], length: number): string {
  if (bytes.length === 4) return `${bytes.join('.')}/${length}`;
  const groups = bytes.flatMap((byte, at) => (at % 2 === 0 ? [((byte << 8) | (bytes[at + 1] ?? 0)).toString(16)] : []));
  return `${groups.join(':')}/${length}`;
}

function splitOf({ clusters }: ConnectionChain): ExplainedSplit[] {
  let next = 0;
  return clusters.map(({ cluster, weight }) => {
    const first = next;
    next += weight;
    return weight === 0 ? { cluster, weight } : { cluster, weight, range: [first, next - 1] };
  });
}

const withoutChain = ({ outboundPolicy }: ExplainParts): string =>
  `no route takes such a connection: ${outboundPolicy === 'ALLOW_ANY' ? 'dialled as written (PassthroughCluster)' : 'refused (BlackHoleCluster)'}, since the outbound policy is ${outboundPolicy}`;

function notesOf(
  live: LiveTarget,
  chain: ConnectionChain,
  cluster: string,
  own: OwnIdentity | undefined,
): readonly string[] {
  const { idleTimeoutMs, maxDurationMs, connectAttempts } = chain;
  const upstream = live.upstreams.get(cluster);
  const state = live.config.clusters.get(cluster);
  const next = upstream?.peek({});
  const notes = [
    ...(upstream === undefined
      ? [`refused (NC): ${state?.kind === 'failed' ? state.reason : `there is no cluster ${cluster}`}`]
      : []),
    ...(next?.kind === 'failure' ? [`refused (${next.flag}): ${next.reason}`] : []),
    ...(idleTimeoutMs > 0 ? [`without a byte for ${idleTimeoutMs / 1_000} s it is closed`] : []),
    ...(maxDurationMs ? [`after ${maxDurationMs / 1_000} s it is closed`] : []),
    ...(connectAttempts > 1 ? [`up to ${connectAttempts} hosts are tried`] : []),
  ];
  return [...notes, ...notesOnMembers(upstream, () => 0), ...transportNotes(upstream, own)];
}
