import type { CidrRangeSchema } from '@inmesh/sdk/internal/gen/core';
import type { FilterChainSchema } from '@inmesh/sdk/internal/gen/listener';
import { parseIpPrefix } from '@inmesh/sdk/internal/match/ip-prefix';
import type { PortProtocol } from '../../registry/read-model.ts';
import { configPath } from '../origin.ts';
import type { Fields } from '../proto.ts';
import { servicePort, type Target } from '../service-lookup.ts';
import type { View } from '../view.ts';
import { connectionRules } from '../virtual-service-lookup.ts';
import type { World } from '../world.ts';
import { type Chain, withoutTwins } from './chain.ts';
import { chainsAt, dialledAddress } from './dialled-address.ts';
import { tcpChains } from './tcp-chains.ts';
import { tcpProxy } from './tcp-proxy.ts';
import { tlsChains } from './tls-chains.ts';

type FilterChainInit = Fields<typeof FilterChainSchema>;

const HTTP: ReadonlySet<PortProtocol> = new Set(['http', 'http2', 'grpc', 'grpc-web']);
const TLS: ReadonlySet<PortProtocol> = new Set(['https', 'tls']);

/** How a port's connections are routed where they are not HTTP requests; undefined: HTTP is all it speaks. */
export const connectionKind = (protocol: PortProtocol): 'tls' | 'tcp' | undefined => {
  if (HTTP.has(protocol)) return undefined;
  return TLS.has(protocol) ? 'tls' : 'tcp';
};

/**
 * Where connections to one target go that are not HTTP requests, as a sidecar's outbound listener has it. That listener is
 * shared by all hosts of a port; this one has a single host, so what no rule takes goes to that host by whatever name TLS
 * asks for.
 */
export const filterChains = (world: World, view: View, target: Target, dialled: string): FilterChainInit[] => {
  const { host, port, service } = target;
  const protocol = service && servicePort(service, port)?.protocol;
  const kind = protocol && connectionKind(protocol);
  if (service === undefined || kind === undefined) return [];
  const chains = chainsOf(world, view, target, kind);
  return withoutTwins(chainsAt(chains, dialledAddress(dialled, service))).map((chain) => {
    const namespace = chain.rule?.namespace;
    const route = chain.route.length > 0 ? chain.route : [{ destination: { host, port: { number: port } } }];
    return {
      ...matchOf(chain),
      filters: [tcpProxy({ world, view, namespace, port }, route)],
      ...(chain.rule && { metadata: { filterMetadata: { istio: { config: configPath(chain.rule) } } } }),
    };
  });
};

const WHOLE_SERVICE: Chain = { rule: undefined, serverNames: [], subnets: [], route: [] };

const chainsOf = (world: World, view: View, { host, port }: Target, kind: 'tls' | 'tcp'): readonly Chain[] => {
  const rules = connectionRules(world, view, host, port);
  if (kind === 'tls') {
    const chains = tlsChains(rules, view, port);
    return chains.length > 0 ? chains : [WHOLE_SERVICE];
  }
  const { chains, takesAll } = tcpChains(rules, view, port);
  return takesAll ? chains : [...chains, WHOLE_SERVICE];
};

const matchOf = ({ serverNames, subnets }: Chain): Pick<FilterChainInit, 'filterChainMatch'> => {
  if (serverNames.length === 0 && subnets.length === 0) return {};
  return { filterChainMatch: { serverNames: [...serverNames], prefixRanges: subnets.flatMap(range) } };
};

const range = (subnet: string): Fields<typeof CidrRangeSchema>[] => {
  const prefix = parseIpPrefix(subnet);
  return prefix === undefined ? [] : [{ addressPrefix: subnet.split('/')[0] ?? '', prefixLen: prefix.length }];
};
