import type { FilterChain, FilterChainMatch, Listener } from '../../../gen/listener.js';
import { ListenerSchema } from '../../../gen/listener.js';
import type { InboundChain, InboundLimits, InboundListener } from '../../model/inbound.ts';
import { checkFields } from '../fields.ts';
import type { Scope } from '../scope.ts';
import { decodeDownstreamTls } from '../tls/downstream-tls.ts';
import { INBOUND_FIELDS } from './inbound.fields.ts';
import { decodeInboundFilters } from './inbound-filters.ts';

/** A server's Listener (gRFC A36, and Istio's inbound listener): how one port of this process takes connections. */
export function decodeInboundListener(message: Listener, at: Scope): InboundListener {
  const { name, address, metadata, filterChains, defaultFilterChain: fallback } = message;
  checkFields(ListenerSchema, message, INBOUND_FIELDS, at);
  const socket = address?.address;
  if (socket?.case !== 'socketAddress') at.at('address').error(`${socket?.case ?? 'missing'}, socket_address allowed`);
  const limits: InboundLimits[] = [];
  const list = at.at('filter_chains');
  const chains = filterChains.flatMap((chain, index) => decodeChain(chain, limits, list.at(index)) ?? []);
  // Envoy: what fits no other; whatever it asks for itself.
  const last = fallback && decodeChain(fallback, limits, at.at('default_filter_chain'));
  if (filterChains.length === 0 && fallback === undefined) list.error('empty, a chain at least is required');
  const origin = metadata?.filterMetadata.istio?.config;
  const most = metadata?.filterMetadata['inmesh.inbound']?.max_requests;
  return {
    name,
    address: socket?.case === 'socketAddress' ? socket.value.address : '',
    port: socket?.case === 'socketAddress' ? Number(socket.value.portSpecifier.value ?? 0) : 0,
    chains:
      last === undefined ? chains : [...chains, { ...last, transport: undefined, applicationProtocols: [] }].map(bare),
    limits: { ...limits[0], ...(typeof most === 'number' && most > 0 && { maxRequests: most }) },
    ...(typeof origin === 'string' && { configPath: origin }),
  };
}

const bare = ({
  transport,
  ...chain
}: Omit<InboundChain, 'transport'> & { transport?: InboundChain['transport'] | undefined }): InboundChain =>
  transport === undefined ? chain : { ...chain, transport };

function decodeChain(message: FilterChain, limits: InboundLimits[], at: Scope): InboundChain | undefined {
  const match = at.at('filter_chain_match');
  const { filterChainMatch, transportSocket, name } = message;
  const filters = decodeInboundFilters(message.filters, at.at('filters'));
  const tls = transportSocket && decodeDownstreamTls(transportSocket, at.at('transport_socket'));
  if (filters === undefined) return undefined;
  limits.push(filters.limits);
  const chain = {
    name,
    ...filters.chain,
    ...decodeMatch(filterChainMatch, match.at('transport_protocol')),
    ...(tls && { tls }),
  };
  if (filterChainMatch === undefined || canTell(filterChainMatch)) return chain;
  // What was asked for cannot be told here, and a chain that is chosen too often is worse than none (gRFC A36).
  match.warn('the chain is never chosen: it asks for more than transport and application protocols');
  return undefined;
}

function decodeMatch(
  match: FilterChainMatch | undefined,
  at: Scope,
): Pick<InboundChain, 'transport' | 'applicationProtocols'> {
  const transport = match?.transportProtocol ?? '';
  const applicationProtocols = match?.applicationProtocols ?? [];
  if (transport === 'tls' || transport === 'raw_buffer') return { transport, applicationProtocols };
  if (transport !== '') at.error(`"${transport}", tls or raw_buffer allowed`);
  return { applicationProtocols };
}

const canTell = (match: FilterChainMatch): boolean =>
  match.destinationPort === undefined &&
  match.prefixRanges.length === 0 &&
  match.serverNames.length === 0 &&
  match.addressSuffix === '' &&
  match.suffixLen === undefined &&
  match.directSourcePrefixRanges.length === 0 &&
  match.sourceType === 0 &&
  match.sourcePrefixRanges.length === 0 &&
  match.sourcePorts.length === 0;
