import { drawModulo } from '../match/fraction.ts';
import { covers, parseIp } from '../match/ip-prefix.ts';
import type { ConnectionChain, ConnectionTable, WeightedConnection } from '../model/l4.ts';

/** What is known of a connection before its first byte is passed on. */
export interface ConnectionRequest {
  /** What the ClientHello says (SNI), in any case; undefined: no TLS, or no name in it. */
  readonly serverName?: string;
  readonly port: number;
  /** The IP address that is dialled; undefined: a name was, and what it stands for is the cluster's matter. */
  readonly address?: string;
}

export type ConnectionDecision =
  | { readonly kind: 'connect'; readonly cluster: string; readonly chain: ConnectionChain }
  /** A sidecar passes such a connection through, or refuses it under REGISTRY_ONLY. */
  | { readonly kind: 'none' };

const NONE: ConnectionDecision = { kind: 'none' };

/**
 * Where a connection goes: the chain by port, address and server name, in this order, each narrowing what is left and never
 * taken back (Envoy FilterChainManagerImpl::findFilterChain), then one of its clusters by weight.
 */
export function decideConnection(table: ConnectionTable, request: ConnectionRequest, draw: number): ConnectionDecision {
  const chain = chainFor(table.chains, request) ?? table.fallback;
  const cluster = chain && chooseConnection(chain.clusters, draw);
  return chain === undefined || cluster === undefined ? NONE : { kind: 'connect', cluster, chain };
}

function chainFor(chains: readonly ConnectionChain[], request: ConnectionRequest): ConnectionChain | undefined {
  const forPort = narrow(chains, ({ port }) => (port === undefined ? 0 : port === request.port ? 1 : undefined));
  const address = request.address === undefined ? undefined : parseIp(request.address);
  const forAddress = narrow(forPort, ({ destinations }) => closeness(destinations, address));
  const serverName = request.serverName?.toLowerCase() ?? '';
  return narrow(forAddress, ({ serverNames }) => likeness(serverNames, serverName))[0];
}

/** The chains that fit best, in their order; undefined from `fit`: not at all. */
function narrow(
  chains: readonly ConnectionChain[],
  fit: (chain: ConnectionChain) => number | undefined,
): readonly ConnectionChain[] {
  let best = -1;
  let kept: ConnectionChain[] = [];
  for (const chain of chains) {
    const fits = fit(chain);
    if (fits === undefined || fits < best) continue;
    if (fits > best) kept = [];
    best = fits;
    kept.push(chain);
  }
  return kept;
}

/** The longest range counts; a chain without ranges takes every address, and alone the one that nobody knows. */
function closeness(
  ranges: ConnectionChain['destinations'],
  address: readonly number[] | undefined,
): number | undefined {
  if (ranges.length === 0) return 0;
  if (address === undefined) return undefined;
  const lengths = ranges.filter((range) => covers(range, address)).map(({ length }) => length + 1);
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}

/** The exact name before wildcards, the longest of those first, before chains that name none. */
function likeness(names: readonly string[], serverName: string): number | undefined {
  if (names.length === 0) return 0;
  if (serverName === '') return undefined;
  let best: number | undefined;
  for (const name of names) {
    if (name === serverName) return Number.POSITIVE_INFINITY;
    const suffix = name.startsWith('*.') ? name.slice(1) : undefined;
    if (suffix === undefined || !serverName.endsWith(suffix) || serverName.length === suffix.length) continue;
    best = Math.max(best ?? 0, suffix.length);
  }
  return best;
}

/** Envoy TcpProxy: the draw modulo the sum of the weights, in the order of the configuration. */
function chooseConnection(clusters: readonly WeightedConnection[], draw: number): string | undefined {
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return undefined;
  let left = drawModulo(draw, total);
  for (const { cluster, weight } of clusters) {
    if (left < weight) return cluster;
    left -= weight;
  }
  return undefined;
}
