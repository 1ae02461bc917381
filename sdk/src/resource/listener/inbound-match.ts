import { create } from '@bufbuild/protobuf';
import type { CidrRange } from '../../../gen/core.js';
import {
  type FilterChain,
  type FilterChainMatch,
  FilterChainMatchSchema,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from '../../../gen/listener.js';
import { parseIp } from '../../match/ip-prefix.ts';
import type { AddressMatch, InboundChain } from '../../model/inbound.ts';
import type { IpPrefix } from '../../model/l4.ts';
import type { Scope } from '../scope.ts';
import { inRange } from '../values.ts';

type ChainMatch = Pick<InboundChain, 'transport' | 'applicationProtocols' | 'addresses'>;

/** FilterChain.filter_chain_match of a server; undefined: the chain is never chosen. */
export function decodeInboundMatch(
  match: FilterChainMatch | undefined,
  isTls: boolean,
  at: Scope,
): ChainMatch | undefined {
  if (match === undefined) return { applicationProtocols: [] };
  const transport = decodeTransport(match.transportProtocol, isTls, at.at('transport_protocol'));
  const addresses = decodeAddresses(match, at);
  if (!canTell(match)) {
    // What was asked for cannot be told here, and a chain that is chosen too often is worse than none (gRFC A36).
    at.warn('the chain is never chosen: it asks for a port, server name or address that is not looked at');
    return undefined;
  }
  return {
    ...(transport !== undefined && { transport }),
    applicationProtocols: match.applicationProtocols,
    ...(addresses && { addresses }),
  };
}

/**
 * A gRPC server looks at nothing: to it all is `raw_buffer`, TLS too (gRFC A36). A chain that asks for that and has TLS can
 * mean nothing else.
 */
function decodeTransport(transport: string, isTls: boolean, at: Scope): InboundChain['transport'] {
  if (transport === 'tls') return transport;
  if (transport === 'raw_buffer') return isTls ? undefined : transport;
  if (transport !== '') at.error(`"${transport}", tls or raw_buffer allowed`);
  return undefined;
}

const SOURCE_TYPES: ReadonlyMap<SourceType, AddressMatch['sourceType']> = new Map([
  [SourceType.ANY, 'any'],
  [SourceType.SAME_IP_OR_LOOPBACK, 'same-ip-or-loopback'],
  [SourceType.EXTERNAL, 'external'],
]);

function decodeAddresses(match: FilterChainMatch, at: Scope): AddressMatch | undefined {
  const { prefixRanges, sourceType, sourcePrefixRanges, sourcePorts } = match;
  const type = SOURCE_TYPES.get(sourceType);
  if (type === undefined) at.at('source_type').error(`${sourceType}, a value of Envoy's allowed`);
  if (prefixRanges.length + sourcePrefixRanges.length + sourcePorts.length === 0 && sourceType === SourceType.ANY) {
    return undefined;
  }
  const ports = at.at('source_ports');
  return {
    destinations: decodeRanges(prefixRanges, at.at('prefix_ranges')),
    sourceType: type ?? 'any',
    sources: decodeRanges(sourcePrefixRanges, at.at('source_prefix_ranges')),
    sourcePorts: sourcePorts.map((port, index) => inRange(port, 1, 65_535, ports.at(index))),
  };
}

const decodeRanges = (ranges: readonly CidrRange[], at: Scope): readonly IpPrefix[] =>
  ranges.flatMap(({ addressPrefix, prefixLen }, index) => {
    const bytes = parseIp(addressPrefix);
    if (bytes === undefined) {
      at.at(index).at('address_prefix').error(`"${addressPrefix}", an IP address allowed`);
      return [];
    }
    return [{ bytes, length: inRange(prefixLen ?? 0, 0, bytes.length * 8, at.at(index).at('prefix_len')) }];
  });

const canTell = (match: FilterChainMatch): boolean =>
  match.destinationPort === undefined &&
  match.serverNames.length === 0 &&
  match.addressSuffix === '' &&
  match.suffixLen === undefined &&
  match.directSourcePrefixRanges.length === 0;

/** Two chains that ask for the same: which one takes a connection would be chance (gRFC A36, Envoy). */
export function refuseTwins(chains: readonly FilterChain[], at: Scope): void {
  const seen = new Map<string, number>();
  for (const [index, { filterChainMatch }] of chains.entries()) {
    const key = keyOf(filterChainMatch ?? create(FilterChainMatchSchema));
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else at.at(index).at('filter_chain_match').error(`the same as that of filter_chains[${first}]`);
  }
}

function keyOf(match: FilterChainMatch): string {
  const { destinationPort = 0, transportProtocol, sourceType, serverNames, applicationProtocols, sourcePorts } = match;
  const ranges = (list: readonly CidrRange[]) => list.map((one) => `${one.addressPrefix}/${one.prefixLen ?? 0}`).sort();
  return JSON.stringify([
    ...[destinationPort, transportProtocol, sourceType],
    ...[serverNames, applicationProtocols, sourcePorts].map((list) => list.map(String).sort()),
    ...[match.prefixRanges, match.sourcePrefixRanges, match.directSourcePrefixRanges].map(ranges),
  ]);
}
