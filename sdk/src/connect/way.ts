import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { LiveTarget } from '../call/live-target.ts';
import type { Random } from '../clock.ts';
import type { ConnectionChain } from '../model/l4.ts';
import { decideConnection } from '../route/l4.ts';
import type { PickContext, Upstream } from '../upstream/types.ts';
import type { Destination } from './destination.ts';
import type { ConnectRuntime } from './runtime.ts';

/** Where a connection goes by its target's configuration. */
export type ConnectionWay =
  | { readonly kind: 'upstream'; readonly chain: ConnectionChain; readonly upstream: Upstream }
  /** The chain's cluster is not there. */
  | { readonly kind: 'no-cluster'; readonly chain: ConnectionChain; readonly cluster: string; readonly reason: string }
  /** No chain takes it. */
  | { readonly kind: 'no-chain' }
  /** The port speaks HTTP: requests have routes, connections have none. */
  | { readonly kind: 'http' }
  /** The control plane forbids hosts it does not know. */
  | { readonly kind: 'blocked' };

/** Istio's name of the routes of a host that is not to be reached (REGISTRY_ONLY). */
const BLOCK_ALL = 'block_all';

export function connectionWay(live: LiveTarget, destination: Destination, random: Random): ConnectionWay {
  const { listener, routeConfiguration, clusters } = live.config;
  const { connections } = listener;
  if (connections === undefined) return { kind: routeConfiguration.name === BLOCK_ALL ? 'blocked' : 'http' };
  const { serverName, port, address } = destination;
  const request = { port, ...(serverName && { serverName }), ...(address && { address }) };
  const decision = decideConnection(connections, request, random());
  if (decision.kind === 'none') return { kind: 'no-chain' };
  const { chain, cluster } = decision;
  const upstream = live.upstreams.get(cluster);
  if (upstream !== undefined) return { kind: 'upstream', chain, upstream };
  const state = clusters.get(cluster);
  const reason = state?.kind === 'failed' ? `cluster ${cluster}: ${state.reason}` : `cluster ${cluster} does not exist`;
  return { kind: 'no-cluster', chain, cluster, reason };
}

/** What a host is picked by. */
export function pickContextOf(
  chain: ConnectionChain,
  upstream: Upstream,
  { host, port }: Destination,
  { sourceIp }: ConnectRuntime,
): PickContext {
  if (upstream.needsDestination) {
    return { originalDestination: { address: host, port } };
  }
  const source = chain.hashSourceIp ? sourceIp() : undefined;
  return source === undefined ? {} : { hash: xxHash64(source) };
}
