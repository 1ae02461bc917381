import type { JsonObject } from '@bufbuild/protobuf';

/** Listeners of servers as gRFC A36 speaks of them, and what becomes of a call of `/echo.Echo/Say` in plain from this machine. */

export interface A36Case {
  readonly rule: string;
  /** Of the listener, beside its name and address. */
  readonly listener: JsonObject;
  readonly routes?: JsonObject;
  readonly metadata?: Readonly<Record<string, string>>;
  /** `refused`: the listener is (NACK), nobody is served. `closed`: taken, and yet nobody is served, by any chain of it. `unavailable`: by no route. */
  readonly outcome: 'answered' | 'unavailable' | 'closed' | 'refused';
  /**
   * Where grpc-go is alone: it refuses a listener none of whose chains can be chosen, and looks at destinations only where it
   * listens on all addresses.
   */
  readonly go?: 'refused' | 'unavailable';
}

const type = (name: string, rest: JsonObject = {}): JsonObject => ({
  '@type': `type.googleapis.com/envoy.extensions.filters.${name}`,
  ...rest,
});
const router: JsonObject = { name: 'router', typedConfig: type('http.router.v3.Router') };
const stay = (match: JsonObject = { prefix: '/' }): JsonObject => ({ match, nonForwardingAction: {} });
const table = (routes: readonly JsonObject[], domain = '*'): JsonObject => ({
  name: 'routes',
  virtualHosts: [{ name: 'v', domains: [domain], routes: [...routes] }],
});
const manager = (rest: JsonObject = {}): JsonObject => ({
  name: 'http',
  typedConfig: type('network.http_connection_manager.v3.HttpConnectionManager', {
    ...(!('rds' in rest) && { routeConfig: table([stay()]) }),
    httpFilters: [router],
    ...rest,
  }),
});
const chain = (rest: JsonObject = {}): JsonObject => ({ name: 'c', filters: [manager()], ...rest });
const one = (rest: JsonObject = {}): JsonObject => ({ filterChains: [chain(rest)] });
const routed = (...routes: readonly JsonObject[]): JsonObject =>
  one({ filters: [manager({ routeConfig: table(routes) })] });
const matched = (filterChainMatch: JsonObject): JsonObject => one({ filterChainMatch });
const far: JsonObject = { sourcePrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] };
const near: JsonObject = { sourcePrefixRanges: [{ addressPrefix: '127.0.0.0', prefixLen: 8 }] };
const nothing: JsonObject = { filters: [manager({ routeConfig: { ...table([]), name: 'none' } })] };
const header = (rest: JsonObject): JsonObject => stay({ prefix: '/', headers: [{ name: 'user', ...rest }] });

export const A36_CASES: readonly A36Case[] = [
  { rule: 'one route for everything', listener: one(), outcome: 'answered' },
  { rule: 'the route of the method', listener: routed(stay({ path: '/echo.Echo/Say' })), outcome: 'answered' },
  { rule: 'no route of the method', listener: routed(stay({ prefix: '/other.Service/' })), outcome: 'unavailable' },
  { rule: 'no routes at all', listener: routed(), outcome: 'unavailable' },
  {
    rule: 'no virtual host of the authority',
    listener: one({ filters: [manager({ routeConfig: table([stay()], 'elsewhere') })] }),
    outcome: 'unavailable',
  },
  {
    rule: 'a route that forwards',
    listener: routed({ match: { prefix: '/' }, route: { cluster: 'c' } }),
    outcome: 'unavailable',
  },
  {
    rule: 'the first route that fits counts',
    listener: routed({ match: { prefix: '/echo' }, route: { cluster: 'c' } }, stay()),
    outcome: 'unavailable',
  },
  {
    rule: 'metadata that fits',
    listener: routed(header({ stringMatch: { exact: 'jason' } })),
    metadata: { user: 'jason' },
    outcome: 'answered',
  },
  {
    rule: 'metadata that does not',
    listener: routed(header({ stringMatch: { exact: 'jason' } })),
    metadata: { user: 'other' },
    outcome: 'unavailable',
  },
  { rule: 'metadata that is not there', listener: routed(header({ presentMatch: true })), outcome: 'unavailable' },
  {
    rule: 'routes by RDS',
    listener: one({ filters: [manager({ rds: { configSource: { ads: {} }, routeConfigName: 'routes' } })] }),
    routes: table([stay()]),
    outcome: 'answered',
  },
  {
    rule: 'routes by RDS, none that fits',
    listener: one({ filters: [manager({ rds: { configSource: { ads: {} }, routeConfigName: 'routes' } })] }),
    routes: table([stay({ prefix: '/other' })]),
    outcome: 'unavailable',
  },
  {
    rule: 'an unknown filter that is optional',
    listener: one({
      filters: [
        manager({ httpFilters: [{ name: 'cors', typedConfig: type('http.cors.v3.Cors'), isOptional: true }, router] }),
      ],
    }),
    outcome: 'answered',
  },
  {
    rule: 'an unknown filter',
    listener: one({
      filters: [manager({ httpFilters: [{ name: 'cors', typedConfig: type('http.cors.v3.Cors') }, router] })],
    }),
    outcome: 'refused',
  },
  { rule: 'no router', listener: one({ filters: [manager({ httpFilters: [] })] }), outcome: 'refused' },
  {
    rule: 'forwarded addresses are asked for',
    listener: one({ filters: [manager({ xffNumTrustedHops: 1 })] }),
    outcome: 'refused',
  },
  { rule: 'no connection manager', listener: one({ filters: [] }), outcome: 'refused' },
  { rule: 'use_original_dst', listener: { ...one(), useOriginalDst: true }, outcome: 'refused' },
  { rule: 'no chain', listener: { filterChains: [] }, outcome: 'refused' },
  {
    rule: 'two chains for the same',
    listener: { filterChains: [chain({ filterChainMatch: far }), chain({ filterChainMatch: far })] },
    outcome: 'refused',
  },
  {
    rule: 'another address',
    listener: { ...one(), address: { socketAddress: { address: '10.9.9.9', portValue: 1 } } },
    outcome: 'closed',
  },
  { rule: 'a default chain alone', listener: { defaultFilterChain: chain() }, outcome: 'answered' },
  {
    rule: 'a chain for others, and the default chain',
    listener: { filterChains: [chain({ ...nothing, filterChainMatch: far })], defaultFilterChain: chain() },
    outcome: 'answered',
  },
  {
    rule: 'a closer chain before the default chain',
    listener: { filterChains: [chain({ filterChainMatch: near })], defaultFilterChain: chain(nothing) },
    outcome: 'answered',
  },
  { rule: 'a chain for others alone', listener: matched(far), outcome: 'closed' },
  { rule: 'callers of this machine', listener: matched({ sourceType: 'SAME_IP_OR_LOOPBACK' }), outcome: 'answered' },
  { rule: 'callers from elsewhere', listener: matched({ sourceType: 'EXTERNAL' }), outcome: 'closed' },
  {
    rule: 'the longest prefix of the destination',
    listener: {
      filterChains: [
        chain({
          ...nothing,
          name: 'wide',
          filterChainMatch: { prefixRanges: [{ addressPrefix: '127.0.0.0', prefixLen: 8 }] },
        }),
        chain({ filterChainMatch: { prefixRanges: [{ addressPrefix: '127.0.0.1', prefixLen: 32 }] } }),
      ],
    },
    outcome: 'answered',
    go: 'unavailable',
  },
  { rule: 'raw_buffer', listener: matched({ transportProtocol: 'raw_buffer' }), outcome: 'answered' },
  { rule: 'transport tls', listener: matched({ transportProtocol: 'tls' }), outcome: 'closed', go: 'refused' },
  { rule: 'a server name', listener: matched({ serverNames: ['a'] }), outcome: 'closed', go: 'refused' },
  {
    rule: 'an application protocol',
    listener: matched({ applicationProtocols: ['h2'] }),
    outcome: 'closed',
    go: 'refused',
  },
  { rule: 'a destination port', listener: matched({ destinationPort: 80 }), outcome: 'closed', go: 'refused' },
];
