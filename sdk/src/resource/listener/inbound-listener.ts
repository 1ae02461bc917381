import type { FilterChain, FilterChainMatch, Listener } from '../../../gen/listener.js';
import { ListenerSchema } from '../../../gen/listener.js';
import type { InboundChain, InboundLimits, InboundListener } from '../../model/inbound.ts';
import { checkFields } from '../fields.ts';
import type { Scope } from '../scope.ts';
import { decodeDownstreamTls } from '../tls/downstream-tls.ts';
import { INBOUND_FIELDS } from './inbound.fields.ts';
import { decodeInboundFilters } from './inbound-filters.ts';
import { decodeInboundMatch, refuseTwins } from './inbound-match.ts';

const MOST_CHAINS = 1_000;

/** A server's Listener (gRFC A36, and Istio's inbound listener): how one port of this process takes connections. */
export function* decodeInboundListener(message: Listener, at: Scope): Generator<undefined, InboundListener> {
  const { name, address, metadata, filterChains, defaultFilterChain: fallback } = message;
  checkFields(ListenerSchema, message, INBOUND_FIELDS, at);
  const socket = address?.address;
  if (socket?.case !== 'socketAddress') at.at('address').error(`${socket?.case ?? 'missing'}, socket_address allowed`);
  const limits: InboundLimits[] = [];
  const list = at.at('filter_chains');
  // Each is looked at for each connection, and again when the listener changes.
  if (filterChains.length > MOST_CHAINS) list.error(`${filterChains.length}, at most ${MOST_CHAINS} allowed`);
  const chains: InboundChain[] = [];
  for (const [index, chain] of filterChains.slice(0, MOST_CHAINS).entries()) {
    const decoded = yield* decodeChain(chain, chain.filterChainMatch, limits, list.at(index));
    if (decoded !== undefined) chains.push(decoded);
    yield;
  }
  refuseTwins(filterChains, list);
  // Envoy: what fits no other; whatever it asks for itself.
  const last = fallback && (yield* decodeChain(fallback, undefined, limits, at.at('default_filter_chain')));
  if (filterChains.length === 0 && fallback === undefined) list.error('empty, a chain at least is required');
  const origin = metadata?.filterMetadata.istio?.config;
  const most = metadata?.filterMetadata['inmesh.inbound']?.max_requests;
  return {
    name,
    address: socket?.case === 'socketAddress' ? socket.value.address : '',
    port: socket?.case === 'socketAddress' ? Number(socket.value.portSpecifier.value ?? 0) : 0,
    chains: last === undefined ? chains : [...chains, { ...last, isDefault: true }],
    limits: { ...limits[0], ...(typeof most === 'number' && most > 0 && { maxRequests: most }) },
    ...(typeof origin === 'string' && { configPath: origin }),
  };
}

function* decodeChain(
  message: FilterChain,
  filterChainMatch: FilterChainMatch | undefined,
  limits: InboundLimits[],
  at: Scope,
): Generator<undefined, InboundChain | undefined> {
  const { transportSocket, name } = message;
  const filters = yield* decodeInboundFilters(message.filters, at.at('filters'));
  const tls = transportSocket && decodeDownstreamTls(transportSocket, at.at('transport_socket'));
  const match = decodeInboundMatch(filterChainMatch, tls !== undefined, at.at('filter_chain_match'));
  if (filters === undefined) return undefined;
  limits.push(filters.limits);
  return match && { name, ...filters.chain, ...match, ...(tls && { tls }) };
}
