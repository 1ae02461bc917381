import type { CidrRange } from '../../../gen/core.js';
import type { Filter, FilterChain, FilterChainMatch, Listener } from '../../../gen/listener.js';
import { HttpConnectionManagerSchema, TcpProxySchema } from '../../../gen/listener.js';
import { parseIp } from '../../match/ip-prefix.ts';
import type { ConnectionChain, ConnectionTable, IpPrefix } from '../../model/l4.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { inRange } from '../values.ts';
import { decodeTcpProxy } from './tcp-proxy.ts';

const PORT_MAX = 65_535;

/** Listener.filter_chains: where connections go that are not HTTP requests, chosen as Envoy's listener chooses. */
export function decodeFilterChains(
  { filterChains, defaultFilterChain }: Listener,
  at: Scope,
): ConnectionTable | undefined {
  const list = at.at('filter_chains');
  const chains: ConnectionChain[] = [];
  const taken = new Map<string, number>();
  for (const [index, message] of filterChains.entries()) {
    const chain = decodeChain(message, list.at(index));
    if (chain === undefined) continue;
    refuseTwins(chain, taken, index, list.at(index).at('filter_chain_match'));
    chains.push(chain);
  }
  const fallback = defaultFilterChain && decodeChain(defaultFilterChain, at.at('default_filter_chain'));
  if (chains.length === 0 && fallback === undefined) return undefined;
  return { chains, ...(fallback && { fallback }) };
}

/** Two chains for the same connections refuse the listener (Envoy: "multiple filter chains with overlapping matching rules"). */
function refuseTwins(chain: ConnectionChain, taken: Map<string, number>, index: number, at: Scope): void {
  const ranges = chain.destinations.length === 0 ? [''] : chain.destinations.map(rangeText);
  const names = chain.serverNames.length === 0 ? [''] : chain.serverNames;
  for (const range of ranges) {
    for (const name of names) {
      const key = `${chain.port ?? ''} ${range} ${name}`;
      const twin = taken.get(key);
      if (twin === index) continue;
      if (twin !== undefined) {
        at.error(`takes connections that filter_chains[${twin}] takes already, each chain needs a match of its own`);
        return;
      }
      taken.set(key, index);
    }
  }
}

/** Bits behind the prefix do not count. */
const rangeText = ({ bytes, length }: IpPrefix): string =>
  `${bytes.map((byte, at) => byte & (0xff << Math.max(0, 8 - Math.max(0, length - at * 8)))).join('.')}/${length}`;

function decodeChain(message: FilterChain, at: Scope): ConnectionChain | undefined {
  const match = at.at('filter_chain_match');
  const { filterChainMatch } = message;
  const port = filterChainMatch?.destinationPort;
  const target = decodeFilters(message.filters, at.at('filters'));
  const istio = message.metadata?.filterMetadata.istio;
  const chain = target && {
    serverNames: (filterChainMatch?.serverNames ?? []).map((name, index) =>
      serverName(name, match.at('server_names').at(index)),
    ),
    destinations: (filterChainMatch?.prefixRanges ?? []).flatMap((range, index) =>
      decodeRange(range, match.at('prefix_ranges').at(index)),
    ),
    ...(port !== undefined && { port: inRange(port, 1, PORT_MAX, match.at('destination_port')) }),
    ...target,
    ...(typeof istio?.config === 'string' && { configPath: istio.config }),
  };
  if (filterChainMatch === undefined || canTell(filterChainMatch)) return chain;
  // What was asked for cannot be told here, and a chain that is chosen too often is worse than none (gRFC A36).
  match.warn('the chain is never chosen: it asks for more than port, address and server name');
  return undefined;
}

const canTell = (match: FilterChainMatch): boolean =>
  match.addressSuffix === '' &&
  match.suffixLen === undefined &&
  match.directSourcePrefixRanges.length === 0 &&
  match.sourceType === 0 &&
  match.sourcePrefixRanges.length === 0 &&
  match.sourcePorts.length === 0 &&
  match.transportProtocol === '' &&
  match.applicationProtocols.length === 0;

type Target = Omit<ConnectionChain, 'serverNames' | 'destinations' | 'port' | 'configPath'>;

/** One TcpProxy. A chain for HTTP is not for this table; what another filter enforces must not go missing. */
function decodeFilters(filters: readonly Filter[], at: Scope): Target | undefined {
  const types = filters.map(({ configType }) =>
    configType.case === 'typedConfig' ? typeNameOf(configType.value) : '',
  );
  const unknown = types.findIndex((type) => type !== TCP_PROXY && type !== CONNECTION_MANAGER);
  if (unknown !== -1) {
    const what = types[unknown] === '' ? 'a filter without typed_config' : `filter ${types[unknown]}`;
    at.at(unknown).error(`${what} is not known, ${TCP_PROXY} allowed`);
    return undefined;
  }
  if (types.includes(CONNECTION_MANAGER)) {
    at.warn('ignored: the routes of HTTP requests come by api_listener');
    return undefined;
  }
  const config = filters[0]?.configType;
  if (config?.case !== 'typedConfig' || filters.length > 1) {
    at.error(`${filters.length} filters, exactly one ${TCP_PROXY} allowed`);
    return undefined;
  }
  const here = at.at(0).at('typed_config');
  const proxy = unpack(config.value, TcpProxySchema, here);
  return proxy && decodeTcpProxy(proxy, here);
}

const TCP_PROXY = TcpProxySchema.typeName;
const CONNECTION_MANAGER = HttpConnectionManagerSchema.typeName;

/** Envoy takes whole names and `*.suffix`; `*` is written by leaving the names out. */
function serverName(name: string, at: Scope): string {
  const rest = name.startsWith('*.') ? name.slice(2) : name;
  if (rest === '' || rest.includes('*')) at.error(`"${name}", a host name or "*.suffix" allowed`);
  return name.toLowerCase();
}

function decodeRange({ addressPrefix, prefixLen }: CidrRange, at: Scope): IpPrefix[] {
  const bytes = parseIp(addressPrefix);
  if (bytes === undefined) {
    at.at('address_prefix').error(`"${addressPrefix}", an IP address allowed`);
    return [];
  }
  return [{ bytes, length: inRange(prefixLen ?? 0, 0, bytes.length * 8, at.at('prefix_len')) }];
}
